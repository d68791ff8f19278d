import { type Link, type LinkEars, type LinkOptions } from './link.ts';
/**
 * Throws if the page may have no such worker; calls `failed` if its script cannot be loaded, which every tab of the origin
 * finds in the same way, so that all of them fall back alike.
 */
export declare function openSharedWorker(script: string, { name, tab }: LinkOptions, ears: LinkEars, failed: () => void): Link;
