// One connection, with everything the hub says of it.

import { useEffect, useState } from 'preact/hooks';

import type { Admin } from '../admin';
import type { ConnectionDetails } from '../api';
import { Dialog } from '../dialog';
import { bytes, duration, exact, moment, words } from '../format';
import { Facts, Name, UserName, failureText, plain } from '../parts';
import { linkTo } from '../route';
import type { Target } from './disconnect_dialog';

/** Shown in an order and a form of their own; what else there is follows as it comes. */
const KNOWN = [
  'id',
  'shard',
  'state',
  'user',
  'anonymous',
  'address',
  'age_seconds',
  'silence_seconds',
  'bytes',
  'lag_events',
  'behind',
  'expires',
  'selectors',
  'grants',
];

interface ConnectionDialogProps {
  admin: Admin;
  id: string;
  onClose: () => void;
  onDisconnect: (target: Target) => void;
}

export function ConnectionDialog({ admin, id, onClose, onDisconnect }: ConnectionDialogProps) {
  const [details, setDetails] = useState<ConnectionDetails | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const asked = new AbortController();
    admin
      .ask<ConnectionDetails>(`/api/connections/${encodeURIComponent(id)}`, asked.signal)
      .then(setDetails)
      .catch((error: unknown) => {
        if (!asked.signal.aborted) setProblem(failureText(error));
      });
    return () => asked.abort();
  }, [id]);
  const user = details?.user ?? null;
  const isAnonymous = details?.anonymous === true;
  return (
    <Dialog title={`Connection ${id}`} onClose={onClose} isWide>
      {problem !== '' && (
        <p class="problem" role="alert">
          {problem}
        </p>
      )}
      {details === null && problem === '' && <p class="quiet">Asking its shard.</p>}
      {details !== null && <Details details={details} />}
      <p class="buttons">
        <button type="button" onClick={onClose}>
          Close
        </button>
        {user !== null && (
          <a
            class="button"
            href={linkTo('connections', { by: 'user', value: user, anonymous: isAnonymous ? 'true' : '' })}
            onClick={onClose}
          >
            All of this user
          </a>
        )}
        {user !== null && (
          <button type="button" class="danger" onClick={() => onDisconnect({ kind: 'user', value: user, isAnonymous })}>
            Disconnect the user…
          </button>
        )}
        {details !== null && (
          <button type="button" class="danger" onClick={() => onDisconnect({ kind: 'connection', value: id })}>
            Disconnect…
          </button>
        )}
      </p>
    </Dialog>
  );
}

function Details({ details }: { details: ConnectionDetails }) {
  const others = Object.entries(details).filter(([name]) => !KNOWN.includes(name));
  return (
    <>
      <Facts
        of={[
          ['User', <UserName user={details.user} anonymous={details.anonymous} />],
          ['Address', <span class="mono">{details.address}</span>],
          ['State', details.state],
          ['Shard', details.shard],
          ['Age', duration(details.age_seconds)],
          ['Silence', duration(details.silence_seconds)],
          ['Bytes', bytes(details.bytes)],
          ['Lag', `${exact(details.lag_events)} events${details.behind ? ', fed from history' : ''}`],
          ['Expires', details.expires === null ? 'never' : moment(details.expires)],
          ...others.map(([name, value]): [string, string] => [words(name), plain(value)]),
        ]}
      />
      <h3>Selectors</h3>
      <Selectors of={details.selectors} none="None: only its user's own events, and those to all." />
      <h3>Grants</h3>
      <Selectors of={details.grants} none="None: public topics only." />
    </>
  );
}

function Selectors({ of = [], none }: { of?: string[] | undefined; none: string }) {
  if (of.length === 0) return <p class="quiet">{none}</p>;
  return (
    <ul class="selectors">
      {of.map((selector) => (
        <li key={selector}>
          <Name of={selector} />
        </li>
      ))}
    </ul>
  );
}
