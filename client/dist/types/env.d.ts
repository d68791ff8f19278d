export interface Env {
    fetch(url: string, init: RequestInit): Promise<Response>;
    /** Milliseconds of the epoch. */
    now(): number;
    /** Runs something later; the function it gives takes that back. */
    after(ms: number, run: () => void): () => void;
    /** In [0, 1). */
    random(): number;
}
export declare const realEnv: Env;
/** 64 random bits in hex. `crypto.randomUUID` is missing on pages without TLS. */
export declare function randomId(): string;
