// What the admin API says, for a view to draw.

import { useEffect, useState } from 'preact/hooks';

import { Failure } from './admin';
import type { Page } from './page';
import { failureText } from './parts';

export interface Asked<T> {
  /** The last answer: it stays while another is awaited, and if that fails. */
  answer: T | null;
  /** Why there is no newer answer; empty if there is. */
  problem: string;
  isLoading: boolean;
}

/** Asks for `path`; again when that or `times` changes, when a lost hub is back, and when a token was entered. */
export function useAsked<T>(page: Page, path: string, times = 0): Asked<T> {
  const [answer, setAnswer] = useState<T | null>(null);
  const [problem, setProblem] = useState('');
  const [isLoading, setLoading] = useState(true);
  const isLost = page.link.state === 'lost';
  useEffect(() => {
    const asked = new AbortController();
    const isWanted = () => !asked.signal.aborted;
    const ask = async () => {
      setLoading(true);
      try {
        await page.admin.untilUnlocked();
        const said = await page.admin.ask<T>(path, asked.signal);
        if (isWanted()) {
          setAnswer(said);
          setProblem('');
        }
      } catch (error) {
        // The prompt for the token says it already.
        const isLocked = error instanceof Failure && error.status === 401;
        if (isWanted() && !isLocked) setProblem(failureText(error));
      } finally {
        if (isWanted()) setLoading(false);
      }
    };
    void ask();
    return () => asked.abort();
  }, [path, times, isLost, page.admin.isLocked]);
  return { answer, problem, isLoading };
}
