/** A block as the stream had it. */
export interface Block {
    /** `message` if the block names none. */
    type: string;
    /** Lines joined by LF; `undefined` if the block had none, which is no event, or more than may be held. */
    data: string | undefined;
    /** The block's own id; `undefined` if it has none. It moves the cursor, with or without data. */
    id: string | undefined;
    /** Whether something was passed over because of its size. */
    tooLarge: boolean;
}
/** What a parser tells. */
export interface ParserEars {
    block(block: Block): void;
    /** A reconnection time in milliseconds, as soon as its line is read. */
    retry(ms: number): void;
}
export declare class Parser {
    #private;
    constructor(ears: ParserEars, charsMax: number);
    feed(text: string): void;
}
