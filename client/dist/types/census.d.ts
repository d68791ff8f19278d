import type { Census } from './session.ts';
export declare function openCensus(): Census;
