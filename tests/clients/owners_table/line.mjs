// The network between one user and the hub, which can be lost as a network is: the browser notices, the hub does not.
//
// What the hub had on a lost line stands there, silent, until the hub ends it or `DEAD_PEER_MS` have passed. On a loopback the
// kernel acknowledges for a peer that is gone, so that the hub's own `stream.dead_peer` cannot run out; the line keeps that time
// in its place. That the hub keeps it on a real network is shown by `tests/tests/network_cut.rs`.

import { createConnection, createServer } from 'node:net';

/** The hub's default of `stream.dead_peer`. */
const DEAD_PEER_MS = 30_000;

/** Opens a line to the hub at `target`; it ends with the test `t`. */
export async function openLine(t, target) {
  const { hostname, port } = new URL(target);
  const line = new Line(() => createConnection(Number(port), hostname));
  await new Promise((resolve) => line.server.listen(0, '127.0.0.1', resolve));
  t.after(() => line.close());
  return line;
}

class Line {
  #isLost = false;
  /** From the browser's end of each connection to the hub's. */
  #pairs = new Map();
  #standing = new Set();

  constructor(connect) {
    this.server = createServer((near) => this.#accept(near, connect));
  }

  get url() {
    return `http://127.0.0.1:${this.server.address().port}`;
  }

  /** Connections that are lost, and that the hub still has. */
  get standing() {
    return this.#standing.size;
  }

  lose() {
    this.#isLost = true;
    for (const [near, far] of this.#pairs) {
      this.#pairs.delete(near);
      near.unpipe(far);
      far.unpipe(near);
      near.destroy();
      this.#leaveStanding(far);
    }
  }

  mend() {
    this.#isLost = false;
  }

  close() {
    this.server.close();
    for (const socket of [...this.#pairs.keys(), ...this.#pairs.values(), ...this.#standing]) socket.destroy();
  }

  #accept(near, connect) {
    near.on('error', () => {});
    if (this.#isLost) return near.resetAndDestroy();
    const far = connect();
    far.on('error', () => {});
    this.#pairs.set(near, far);
    near.on('close', () => this.#pairs.delete(near) && far.destroy());
    far.on('close', () => this.#pairs.delete(near) && near.destroy());
    near.pipe(far);
    far.pipe(near);
  }

  #leaveStanding(far) {
    this.#standing.add(far);
    // What the hub sends reaches nobody; its end of the connection is still noticed.
    far.resume();
    const timer = setTimeout(() => far.destroy(), DEAD_PEER_MS);
    far.on('close', () => {
      clearTimeout(timer);
      this.#standing.delete(far);
    });
  }
}
