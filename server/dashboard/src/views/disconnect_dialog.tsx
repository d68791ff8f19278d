// Ends one connection, or all of a user, a topic or an address, with a reason that the client is told.

import { useState } from 'preact/hooks';

import type { Admin } from '../admin';
import { Confirm } from '../dialog';
import { Name } from '../parts';

/** The API's bound on a reason, in bytes. */
const REASON_BYTES_MAX = 200;

export interface Target {
  kind: 'connection' | 'user' | 'topic' | 'address';
  value: string;
  /** A `user` without a token, known by its client id. */
  isAnonymous?: boolean;
}

const WHOM: Record<Target['kind'], string> = {
  connection: 'the connection',
  user: 'all connections of the user',
  topic: 'all subscribers of the topic',
  address: 'all connections from the address',
};

interface DisconnectDialogProps {
  admin: Admin;
  target: Target;
  onClose: () => void;
  onDone: (disconnected: number) => void;
}

export function DisconnectDialog({ admin, target, onClose, onDone }: DisconnectDialogProps) {
  const [reason, setReason] = useState('');
  const [reconnect, setReconnect] = useState(false);
  const onConfirm = async () => {
    if (new TextEncoder().encode(reason).length > REASON_BYTES_MAX) {
      throw new Error(`the reason is longer than ${REASON_BYTES_MAX} bytes`);
    }
    const body = {
      [target.kind]: target.value,
      ...(target.isAnonymous === true ? { anonymous: true } : {}),
      ...(reason === '' ? {} : { reason }),
      reconnect,
    };
    const said = await admin.tell<{ disconnected: number }>('POST', '/api/disconnect', body);
    onDone(said.disconnected);
  };
  return (
    <Confirm title="Disconnect" deed="Disconnect" isDangerous onClose={onClose} onConfirm={onConfirm}>
      <p>
        This ends {target.isAnonymous === true ? 'all connections of the anonymous client' : WHOM[target.kind]}{' '}
        <strong class="break">
          <Name of={target.value} />
        </strong>
        .
      </p>
      <label>
        Reason, which the client is told
        <input
          name="reason"
          maxLength={REASON_BYTES_MAX}
          autocomplete="off"
          value={reason}
          onInput={(event) => setReason(event.currentTarget.value)}
        />
      </label>
      <label class="check">
        <input
          type="checkbox"
          name="reconnect"
          checked={reconnect}
          onChange={(event) => setReconnect(event.currentTarget.checked)}
        />
        It may come back at once
      </label>
    </Confirm>
  );
}
