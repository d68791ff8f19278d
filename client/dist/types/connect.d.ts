import { Connection, type Mode, type Stats, type Token } from './connection.ts';
import { type StreamEvent } from './protocol.ts';
export interface ConnectOptions {
    /** The hub's stream; `/events` by default. Without topics, and without a token, which has its own option. */
    url?: string;
    /** Topics, URI Templates, or `*`. Without any: the user's own events, and those to all. */
    topics?: readonly string[];
    /** A token, or a function that fetches one; it is asked again when a token expires or is refused. */
    token?: Token;
    /**
     * Whose stream it is. Name it where users can change without the browser being closed: tabs of different users share
     * nothing.
     */
    user?: string;
    /** Sends cookies to another origin, too. */
    withCredentials?: boolean;
    /** A stable id of this browser. By default one is made up and kept in `localStorage`. */
    clientId?: string;
    /** `keep`, or how long a page may be hidden before it needs no stream. Default `keep`. */
    hidden?: 'keep' | {
        readonly closeAfterMs: number;
    };
    /** A stream without a byte for so long is opened anew: three of the hub's heartbeats. Default 45,000. */
    silenceMs?: number;
    /** The most that waiting for the next attempt adds to what the server asks for. Default 30,000. */
    backoffMaxMs?: number;
    /** An evicted stream comes back when its page is shown again, but not before so long. Default 30,000. */
    returnAfterMs?: number;
    /** Where `client-worker.js` is, on the page's own origin. By default beside this script. `false`: use no worker. */
    workerUrl?: string | false;
    /** Where the stream may be held, the best first. Default: whatever this browser can. */
    modes?: readonly Mode[];
    /** When an event was made, in milliseconds of the epoch: for `stats().latency`. */
    timeOf?: (event: StreamEvent) => number | undefined;
    /** Called whenever something about the connection has changed: send them anywhere. */
    onMetrics?: (stats: Stats) => void;
}
/**
 * The shared stream. Asked again for the same address and user, it hands out the same connection; further topics are added,
 * a token replaces the older one, a stream that has stopped is opened again, and other options have no effect.
 *
 * @throws TypeError if an option cannot be meant. Whatever goes wrong later is told by `corecast.error`.
 */
export declare function connect(options?: ConnectOptions): Connection;
/** Whether this page has a connection, to this address for this user if given. */
export declare function hasActiveConnection(options?: Pick<ConnectOptions, 'url' | 'user'>): boolean;
/** The connection that this page has, to this address for this user if given; else the first. */
export declare function getConnection(options?: Pick<ConnectOptions, 'url' | 'user'>): Connection | undefined;
