//! Planted faults where a shard meets its socket and its inbox: what the oracle has to notice.

use std::sync::Arc;

use corecast_core::event::{SequencedEvent, SharedEvent};

use super::Shard;
use crate::sim::network::{Network, WireId};
use crate::sim::oracle::Oracle;
use crate::sim::plant::Plant;

impl Shard {
    /// The event to hand in, after the planted fault.
    pub(super) fn plant_in(&mut self, event: SharedEvent, oracle: &Oracle) -> Option<SharedEvent> {
        match self.plant {
            Plant::SkipEvent if !self.planted && !event.ephemeral && oracle.is_awaited(&event) => {
                self.planted = true;
                None
            }
            // The bytes of the second under the place of the first, and the other way round.
            Plant::SwapEvents if !self.planted && oracle.is_awaited(&event) => {
                let is_public = |event: &SharedEvent| !event.ephemeral && !event.private;
                let next = self.events.front_mut().filter(|next| next.audience == event.audience);
                if let Some(next) = next.filter(|next| is_public(next) && is_public(&event)) {
                    self.planted = true;
                    let shown_first = with_frame_of(&event, next);
                    *next = with_frame_of(next, &event);
                    return Some(shown_first);
                }
                Some(event)
            }
            _ => Some(event),
        }
    }

    pub(super) fn plant_send(&mut self, wire: WireId, taken: &[u8], is_stream: bool, net: &mut Network) {
        let is_answer = !is_stream && taken.windows(5).any(|window| window == b"\"id\":");
        if self.plant == Plant::AnswerTwice
            && !self.planted
            && is_answer
            && taken.starts_with(b"HTTP/1.1 200")
        {
            net.wires[wire].tx.extend(taken);
            self.planted = true;
        }
        let is_event = is_stream && taken.windows(5).any(|window| window == b"\nid: ");
        if self.planted || !is_event {
            return;
        }
        match self.plant {
            Plant::LoseByte => {
                let tx = &mut net.wires[wire].tx;
                tx.remove(tx.len().saturating_sub(taken.len() / 2 + 1));
                self.planted = true;
            }
            Plant::DuplicateEvent if !taken.starts_with(b"HTTP") => {
                net.wires[wire].tx.extend(taken);
                self.planted = true;
            }
            _ => {}
        }
    }
}

fn with_frame_of(place: &SharedEvent, shown: &SharedEvent) -> SharedEvent {
    Arc::new(SequencedEvent {
        position: place.position,
        id: place.id,
        publisher_id: place.publisher_id.clone(),
        key: None,
        audience: place.audience.clone(),
        private: place.private,
        expires: place.expires,
        ephemeral: place.ephemeral,
        sequenced: place.sequenced,
        published: place.published,
        frame: shown.frame.clone(),
    })
}
