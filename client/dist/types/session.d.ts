import { type Env } from './env.ts';
import { type ConnectionRecord, type SessionConfig, type ToSession, type ToTab } from './protocol.ts';
/** The way to a tab. */
export interface Port {
    post(message: ToTab): void;
}
/** Told of the streams of this browser, and tells how many a user has. */
export interface Census {
    /** Called when the count has changed. */
    onChange: () => void;
    opened(record: ConnectionRecord): void;
    closed(id: string): void;
    of(user: string): ConnectionRecord[];
}
export declare class Session {
    #private;
    /**
     * `host` names who holds the stream: a tab, or `worker`. If `expected` tabs are known to come from a session before
     * this one, nothing begins until they are here or `patienceMs` is over.
     */
    constructor(env: Env, config: SessionConfig, host: string, census?: Census, expected?: number, patienceMs?: number);
    /** A message of a tab. */
    receive(port: Port, message: ToSession): void;
    /** A tab is gone. */
    leave(port: Port): void;
    /** Ends the stream, and forgets it. */
    close(): void;
    get isEmpty(): boolean;
}
