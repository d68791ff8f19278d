import { type Link, type LinkEars, type LinkOptions } from './link.ts';
export declare function openLeader(options: LinkOptions, ears: LinkEars): Link;
