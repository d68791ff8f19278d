// A modal dialog of the browser's own, which keeps the focus inside. It goes back to where it came from.

import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';

import { failureText } from './parts';

interface DialogProps {
  title: string;
  /** Asked to close by Escape; without it, the dialog stays. It is gone when its parent no longer draws it. */
  onClose?: () => void;
  isWide?: boolean;
  children: ComponentChildren;
}

export function Dialog({ title, onClose, isWide = false, children }: DialogProps) {
  const dialog = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  useEffect(() => {
    const opener = document.activeElement;
    dialog.current?.showModal();
    return () => {
      // The element is gone by now, and the focus with it. Its opener may be, too: a row that was disconnected.
      if (opener instanceof HTMLElement && opener.isConnected && opener !== document.body)
        opener.focus({ preventScroll: true });
      else document.getElementById('main')?.focus({ preventScroll: true });
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      class={isWide ? 'wide' : ''}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        onClose?.();
      }}
      onClose={() => {
        // Chromium closes at the second Escape whatever was said to the first.
        if (dialog.current === null) return;
        if (onClose === undefined) dialog.current.showModal();
        else onClose();
      }}
    >
      <h2 id={titleId}>{title}</h2>
      {children}
    </dialog>
  );
}

interface ConfirmProps {
  title: string;
  /** What the button says: the deed, not "OK". */
  deed: string;
  isDangerous?: boolean;
  onClose: () => void;
  /** What is thrown is shown, and the dialog stays. */
  onConfirm: () => Promise<void>;
  children: ComponentChildren;
}

/** Asks before a deed. */
export function Confirm({ title, deed, isDangerous = false, onClose, onConfirm, children }: ConfirmProps) {
  const [problem, setProblem] = useState('');
  const [isBusy, setBusy] = useState(false);
  const onSubmit = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem('');
    try {
      await onConfirm();
    } catch (error) {
      setProblem(failureText(error));
      setBusy(false);
    }
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <form onSubmit={onSubmit}>
        {children}
        {problem !== '' && (
          <p class="problem" role="alert">
            {problem}
          </p>
        )}
        <p class="buttons">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class={isDangerous ? 'danger' : 'primary'} disabled={isBusy}>
            {deed}
          </button>
        </p>
      </form>
    </Dialog>
  );
}
