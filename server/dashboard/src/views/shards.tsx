// All shards side by side: one that carries more than its share, or lags, stands out.

import type { Sample } from '../api';
import { bytesPerSecond, exact, rate } from '../format';
import { Bar, Card } from '../parts';
import type { Timeline } from '../timeline';

export function Shards({ sample, timeline }: { sample: Sample; timeline: Timeline }) {
  const shards = sample.shards ?? [];
  const most = (of: (number | null | undefined)[]) => Math.max(1, ...of.map((value) => value ?? 0));
  const mostStreams = most(shards.map((shard) => shard.streams));
  const mostDeliveries = most(shards.map((shard) => timeline.shards.get(shard.shard)?.deliveries));
  return (
    <Card
      title="Shards"
      aside={<span class="quiet">{shards.length === 1 ? 'one' : `${shards.length} side by side`}</span>}
    >
      <div class="scroll" tabIndex={0} role="group" aria-label="Shards, a table">
        <table class="numbers shards">
          <thead>
            <tr>
              <th scope="col">Shard</th>
              <th scope="col">Streams</th>
              <th aria-hidden="true" />
              <th scope="col">Deliveries / s</th>
              <th aria-hidden="true" />
              <th scope="col">Bytes / s</th>
              <th scope="col">Turns / s</th>
              <th scope="col">Connections</th>
              <th scope="col">Behind</th>
              <th scope="col">History</th>
            </tr>
          </thead>
          <tbody>
            {shards.map((shard) => {
              const rates = timeline.shards.get(shard.shard);
              return (
                <tr key={shard.shard}>
                  <th scope="row">{shard.shard}</th>
                  <td>{exact(shard.streams)}</td>
                  <td class="bar-cell">
                    <Bar share={shard.streams / mostStreams} />
                  </td>
                  <td>{rate(rates?.deliveries)}</td>
                  <td class="bar-cell">
                    <Bar share={(rates?.deliveries ?? 0) / mostDeliveries} />
                  </td>
                  <td>{bytesPerSecond(rates?.bytes)}</td>
                  <td>{rate(rates?.turns)}</td>
                  <td>{exact(shard.connections)}</td>
                  <td class={shard.behind > 0 ? 'high' : ''}>{exact(shard.behind)}</td>
                  <td>{exact(shard.history_events)}</td>
                </tr>
              );
            })}
          </tbody>
        </table>
      </div>
    </Card>
  );
}
