// Small things that views have in common.

import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';

import { Failure } from './admin';
import { UNKNOWN, visible } from './format';

interface CardProps {
  title: string;
  /** Beside the title: what the card says in one number, or a control. */
  aside?: ComponentChildren;
  class?: string;
  children: ComponentChildren;
}

/** A titled box; a landmark for who cannot see boxes. */
export function Card({ title, aside, class: name = '', children }: CardProps) {
  const titleId = useId();
  return (
    <section class={`card ${name}`} aria-labelledby={titleId}>
      <div class="card-head">
        <h2 id={titleId}>{title}</h2>
        {aside !== undefined && <div class="aside">{aside}</div>}
      </div>
      {children}
    </section>
  );
}

/** Names and values, one pair a line. */
export function Facts({ of }: { of: [name: string, value: ComponentChildren][] }) {
  return (
    <dl class="facts">
      {of.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A share of a whole as a thin bar; what it means is said in text beside it. */
export function Bar({ share, isHigh = false }: { share: number; isHigh?: boolean }) {
  const width = `${(100 * Math.min(1, Math.max(0, share))).toFixed(1)}%`;
  return (
    <span class="bar-back" aria-hidden="true">
      <span class={isHigh ? 'bar-fill high' : 'bar-fill'} style={{ width }} />
    </span>
  );
}

/** Of a token's `sub`, or a client's own id: any text, from outside. */
export function UserName({ user, anonymous }: { user: string | null; anonymous: boolean }) {
  if (anonymous)
    return (
      <>
        <i class="quiet">anonymous</i>
        {user !== null && (
          <>
            {' '}
            <Name of={user} />
          </>
        )}
      </>
    );
  return user === null ? <>{UNKNOWN}</> : <Name of={user} />;
}

/** A name from outside. Isolated, so that its direction does not spill over. */
export function Name({ of }: { of: string }) {
  return <bdi>{visible(of)}</bdi>;
}

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** What went wrong, with the field that is to blame. */
export function failureText(error: unknown): string {
  if (error instanceof Failure) {
    const { field } = error.problem;
    return field !== undefined && !error.message.includes(field) ? `${field}: ${error.message}` : error.message;
  }
  return error instanceof Error ? error.message : String(error);
}

/** Any JSON value as a line of text. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return UNKNOWN;
  if (Array.isArray(value)) return value.map(plain).join(', ');
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
