export declare class Backoff {
    #private;
    /** `capMs` bounds what is added to the server's own wish; `random` gives numbers in [0, 1). */
    constructor(capMs: number, random: () => number);
    /** The server's `retry:`. It holds until the next. */
    told(ms: number): void;
    /** A connection was of use: the next failure is the first again. */
    succeeded(): void;
    /** How long to wait now, in milliseconds, at least `atLeastMs`. */
    next(atLeastMs?: number): number;
}
