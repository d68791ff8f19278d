import { type SessionConfig, type Status, type StreamError, type StreamEvent, type TokenReason } from './protocol.ts';
/** A token, or a function that fetches one. It is asked again when the token expires or is refused. */
export type Token = string | ((reason: TokenReason) => string | Promise<string>);
/** Where the stream is held. */
export type Mode = 'shared-worker' | 'leader' | 'solo';
/** What a connection is made with, every default filled in. */
export interface Settings {
    readonly name: string;
    readonly config: SessionConfig;
    readonly token: Token | undefined;
    readonly clientId: string | undefined;
    readonly workerUrl: string | undefined;
    readonly modes: readonly Mode[];
    readonly hiddenMaxMs: number | null;
    readonly timeOf: ((event: StreamEvent) => number | undefined) | undefined;
    readonly onMetrics: ((stats: Stats) => void) | undefined;
}
/** How long events took, from when their publisher says they were made. */
export interface Latency {
    readonly count: number;
    readonly lastMs: number;
    readonly meanMs: number;
    readonly maxMs: number;
}
export interface Stats extends Status {
    readonly tab: string;
    readonly mode: Mode;
    /** Events that this tab's handlers saw. */
    readonly events: number;
    /** Events that came to this tab again, and were kept from its handlers. */
    readonly duplicates: number;
    /** Only with the option `timeOf`. */
    readonly latency?: Latency;
}
/** One user has more streams in this browser than the two that a change of tabs may need for a moment. */
export interface Warning {
    readonly message: string;
    readonly connections: Status['connections'];
}
/** What handlers get, by the type they are for. */
export interface Notices {
    'corecast.state': Status;
    'corecast.error': StreamError;
    'corecast.warning': Warning;
}
export declare class Connection {
    #private;
    readonly tab: string;
    /** Use `connect`, which hands out the connection that there is. */
    constructor(settings: Settings, topics: readonly string[], onClosed: () => void);
    get state(): Status['state'];
    /**
     * Calls `handler` with each event of a type, `*` for all; the function it gives ends that. Types that begin with
     * `corecast.` are the hub's own, or notices of this package (`Notices`).
     */
    on<T extends keyof Notices>(type: T, handler: (notice: Notices[T]) => void): () => void;
    on(type: string, handler: (event: StreamEvent) => void): () => void;
    /** Adds topics; the function it gives takes them back, once. A topic stays as long as somebody in the page wants it. */
    subscribe(...topics: string[]): () => void;
    /** Another token, or another function. */
    setToken(token: Token): void;
    /** Opens a stream that has stopped: somebody wants it here. */
    reopen(): void;
    /** Ends this page's part for good. The stream goes on for the other tabs. */
    close(): void;
    stats(): Stats;
    /** All events from now on, until the connection is closed. A loop that is too slow is told by a `corecast.gap`. */
    [Symbol.asyncIterator](): AsyncGenerator<StreamEvent, void, undefined>;
}
/** Modes that this page can try, the best first. */
export declare function modesHere(workerUrl: string | undefined): Mode[];
