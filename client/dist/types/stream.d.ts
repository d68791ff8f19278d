import type { Env } from './env.ts';
import type { ErrorCode, StopReason, StreamError, StreamEvent, TokenReason } from './protocol.ts';
export type Phase = 'idle' | 'connecting' | 'open' | 'waiting' | 'stopped';
export interface StreamOptions {
    readonly url: string;
    readonly withCredentials: boolean;
    /** A stream without a byte for so long is dead. */
    readonly silenceMs: number;
    readonly backoffMaxMs: number;
}
export interface StreamEars {
    event(event: StreamEvent): void;
    /** All events of what came in one piece have been told. */
    batch(): void;
    phase(phase: Phase, reason?: StopReason): void;
    error(error: StreamError): void;
    /** Gives the token to show, empty for none, or `null` if a refused one has no successor. */
    token(reason: TokenReason): Promise<string | null>;
    /** The server takes this request from nobody. Whether somebody has seen to it, and the stream was opened otherwise. */
    refused(status: number): boolean;
}
export declare function streamError(code: ErrorCode, fatal: boolean, status?: number): StreamError;
export declare class Stream {
    #private;
    /** The id of the last event; the stream goes on behind it. */
    cursor: string | null;
    phase: Phase;
    clientId: string;
    constructor(options: StreamOptions, env: Env, ears: StreamEars);
    /** Opens a stream for these topics, instead of the one there is. */
    open(topics: readonly string[]): void;
    /** Ends the stream; `cursor` stays. */
    close(): void;
    stop(reason: StopReason): void;
    /** The network is another, or there again: what is open may be dead, what waits need not. */
    refresh(): void;
}
