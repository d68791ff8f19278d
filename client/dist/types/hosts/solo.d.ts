import { type Port } from '../session.ts';
import type { Link, LinkEars, LinkOptions } from './link.ts';
/** The way from a session to the tab that hosts it: later, as any other message, so that nobody is called back within a call. */
export declare function directPort(ears: LinkEars): Port;
export declare function openSolo({ tab, config }: LinkOptions, ears: LinkEars): Link;
