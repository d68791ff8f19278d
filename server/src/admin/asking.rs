//! Questions to shards: how many may be under way, how long an answer may take, and what it means if none comes.
//!
//! Invariant: a request has at most one question at each shard at a time, each bounded by the engine itself
//! (`corecast_core::engine::inspect`), and at most `LOOKS_MAX` requests ask at once. So nobody who looks can hold up a
//! shard, however many look at however much.
//! Not here: what is asked.

use std::sync::Arc;
use std::time::Duration;

use corecast_core::engine::Engine;
use corecast_core::engine::inspect::Slice;
use thiserror::Error;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::shard::inbox::{Inbox, Mail};

/// Requests that ask shards at the same time; others wait for their turn.
const LOOKS_MAX: usize = 4;

/// A turn takes microseconds, so a shard that has not answered by then is in trouble of its own.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// For all questions of one request, the wait for its turn included: below the time that its exchange may take, so that the
/// refusal still gets out.
const LOOK_TIMEOUT: Duration = Duration::from_secs(8);

/// Why there is no answer.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub(crate) enum Silent {
    /// The question waits in its mailbox, or in its turn, for too long.
    #[error("shard {0} did not answer within 2s")]
    Late(usize),
    /// There is no room for the question.
    #[error("shard {0} did not answer: its mailbox is full")]
    Full(usize),
    /// The shard has stopped.
    #[error("shard {0} did not answer: it has stopped")]
    Stopped(usize),
    /// There is no such shard.
    #[error("there is no shard {0}")]
    Missing(usize),
    /// The request as a whole took too long.
    #[error("there was no whole answer within 8s: too many ask at once, or for too much; narrow it down")]
    TooMuch,
}

/// The shards, to be asked. All clones have the same bounds.
#[derive(Clone)]
pub(crate) struct Shards {
    inboxes: Arc<[Inbox]>,
    looks: Arc<Semaphore>,
    answer_timeout: Duration,
}

impl Shards {
    pub(crate) fn new(inboxes: Arc<[Inbox]>) -> Self {
        Self { inboxes, looks: Arc::new(Semaphore::new(LOOKS_MAX)), answer_timeout: ANSWER_TIMEOUT }
    }

    /// The same with less patience, for tests of it.
    #[cfg(test)]
    pub(super) fn with_timeout(self, answer_timeout: Duration) -> Self {
        Self { answer_timeout, ..self }
    }

    pub(crate) fn len(&self) -> usize {
        self.inboxes.len()
    }

    /// Asks one shard.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        shard: usize,
        question: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, Silent> {
        self.within_bounds(self.put(shard, question)).await
    }

    /// Asks every shard at the same time, and gives the answers in the order of the shards.
    pub(crate) async fn ask_all<T: Send + 'static>(
        &self,
        question: impl FnOnce(&mut Engine) -> T + Clone + Send + 'static,
    ) -> Result<Vec<T>, Silent> {
        self.of_all(move |shards, shard| {
            let question = question.clone();
            async move { shards.put(shard, question).await }
        })
        .await
    }

    /// Walks all slices of a table in every shard, and gives what `take` made of them, in the order of the shards.
    /// `look` is asked for the slice from a place on, beginning with 0, and says where the next begins.
    pub(crate) async fn walk<R: Send + 'static, B: Send + 'static>(
        &self,
        look: impl Fn(&mut Engine, u32) -> Slice<R> + Clone + Send + 'static,
        begin: impl Fn() -> B,
        take: impl Fn(&mut B, usize, R) + Clone + Send + 'static,
    ) -> Result<Vec<B>, Silent> {
        self.of_all(move |shards, shard| {
            let (look, take, mut taken) = (look.clone(), take.clone(), begin());
            async move {
                let mut next = Some(0);
                while let Some(first) = next {
                    let look = look.clone();
                    let slice = shards.put(shard, move |engine| look(engine, first)).await?;
                    slice.rows.into_iter().for_each(|row| take(&mut taken, shard, row));
                    next = slice.next;
                }
                Ok(taken)
            }
        })
        .await
    }

    /// Does `work` for every shard at the same time.
    async fn of_all<T, W>(&self, work: impl Fn(Self, usize) -> W) -> Result<Vec<T>, Silent>
    where
        T: Send + 'static,
        W: Future<Output = Result<T, Silent>> + Send + 'static,
    {
        let all = async {
            let mut tasks = JoinSet::new();
            for shard in 0..self.len() {
                let work = work(self.clone(), shard);
                tasks.spawn(async move { (shard, work.await) });
            }
            let mut answers: Vec<_> = std::iter::repeat_with(|| None).take(self.len()).collect();
            while let Some(joined) = tasks.join_next().await {
                // A task that panicked is a bug of ours, which must not look like a shard that is silent.
                let (shard, answer) =
                    joined.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
                answers[shard] = Some(answer?);
            }
            Ok(answers.into_iter().flatten().collect())
        };
        self.within_bounds(all).await
    }

    async fn within_bounds<T>(&self, work: impl Future<Output = Result<T, Silent>>) -> Result<T, Silent> {
        let looked = timeout(LOOK_TIMEOUT, async {
            let _turn = self.looks.acquire().await;
            work.await
        });
        looked.await.unwrap_or(Err(Silent::TooMuch))
    }

    async fn put<T: Send + 'static>(
        &self,
        shard: usize,
        question: impl FnOnce(&mut Engine) -> T + Send + 'static,
    ) -> Result<T, Silent> {
        let (answer, answered) = oneshot::channel();
        let ask = move |engine: &mut Engine| {
            // Whoever has given up meanwhile costs nothing any more.
            if !answer.is_closed() {
                let _ = answer.send(question(engine));
            }
        };
        let inbox = self.inboxes.get(shard).ok_or(Silent::Missing(shard))?;
        inbox.try_send(Mail::Ask(Box::new(ask))).map_err(|_mail| Silent::Full(shard))?;
        match timeout(self.answer_timeout, answered).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_dropped)) => Err(Silent::Stopped(shard)),
            Err(_elapsed) => Err(Silent::Late(shard)),
        }
    }
}

#[cfg(test)]
mod tests {
    use corecast_ring::Wake;

    use super::*;

    /// Shards that nobody turns.
    fn shards(count: usize) -> (Shards, Arc<[Inbox]>) {
        let inboxes: Arc<[Inbox]> = (0..count).map(|_| Inbox::new(Wake::new().unwrap())).collect();
        (Shards::new(Arc::clone(&inboxes)).with_timeout(Duration::from_millis(10)), inboxes)
    }

    fn block_on<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(work)
    }

    #[test]
    fn whoever_does_not_answer_is_named() {
        block_on(async {
            let (shards, inboxes) = shards(2);
            assert_eq!(shards.ask(1, |_| ()).await, Err(Silent::Late(1)));
            inboxes[1].close();
            assert_eq!(shards.ask(1, |_| ()).await, Err(Silent::Stopped(1)));
            while inboxes[0].try_send(Mail::Drain).is_ok() {}
            assert_eq!(shards.ask(0, |_| ()).await, Err(Silent::Full(0)));
            assert_eq!(shards.ask_all(|_| ()).await, Err(Silent::Full(0)));
            assert_eq!(shards.ask(2, |_| ()).await, Err(Silent::Missing(2)));
            assert_eq!(Silent::Late(1).to_string(), "shard 1 did not answer within 2s");
        });
    }

    #[test]
    fn a_walk_has_one_question_at_a_shard_and_few_walks_go_on_at_once() {
        block_on(async {
            let (shards, inboxes) = shards(2);
            let slow = shards.with_timeout(Duration::from_secs(60));
            let mut walks = JoinSet::new();
            for _ in 0..3 * LOOKS_MAX {
                let shards = slow.clone();
                walks.spawn(async move {
                    let walk = shards.walk(
                        |engine, first| engine.inspect_owners(first),
                        || 0,
                        |count, _, _| *count += 1,
                    );
                    walk.await
                });
            }
            // One thread runs all of them: after so many turns each that can go on without an answer has.
            for _ in 0..100 {
                tokio::task::yield_now().await;
            }
            let waiting = |inbox: &Inbox| std::iter::from_fn(|| inbox.next_mail()).count();
            assert_eq!(inboxes.iter().map(waiting).collect::<Vec<_>>(), [LOOKS_MAX; 2]);
        });
    }
}
