import { type StreamEvent } from './protocol.ts';
export declare class Inbox {
    #private;
    duplicates: number;
    /** The ids, oldest first. */
    get seen(): string[];
    /** A session is joined, perhaps another: it counts for itself. */
    restart(): void;
    /** Where a tab begins that has seen nothing. */
    begin(cursor: string): void;
    /** Whether an event is new here. The hub's own are: theirs is the id of another event, if any. */
    takes({ type, id }: StreamEvent): boolean;
    /** Whether the session is to be told that all up to `n` has been handled. */
    isDue(n: number): boolean;
}
