import type { StreamEvent } from './protocol.ts';
export declare const EVENTS_MAX = 1000;
export declare const CHARS_MAX: number;
export declare class Ring {
    #private;
    /** The number of the oldest event here. */
    first: number;
    /** The id before the oldest event here. */
    before: string;
    /** The number of the next event. */
    get end(): number;
    push(event: StreamEvent): void;
    slice(from: number, to: number): StreamEvent[];
    /** The number behind the event with this id. */
    behind(id: string): number | undefined;
}
