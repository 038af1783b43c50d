//! Threads that read and judge files.

#[cfg(feature = "threads")]
use std::{collections::VecDeque, sync::mpsc};

/// Threads at work; none where one file or one thread is asked for, or the system grants no more threads.
pub(super) struct Workers {
    #[cfg(feature = "threads")]
    pool: Option<rayon::ThreadPool>,
}

impl Workers {
    /// `threads` 0 takes one per core.
    pub(super) fn new(threads: usize, files: usize) -> Self {
        #[cfg(feature = "threads")]
        {
            let several = threads != 1 && files > 1;
            let pool = || rayon::ThreadPoolBuilder::new().num_threads(threads).build().ok();
            Workers { pool: if several { pool() } else { None } }
        }
        #[cfg(not(feature = "threads"))]
        {
            let _ = (threads, files);
            Workers {}
        }
    }

    /// Maps in parallel, keeping the order.
    pub(super) fn map<'i, I: Sync, T: Send>(&self, inputs: &'i [I], map: impl Fn(&'i I) -> T + Send + Sync) -> Vec<T> {
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool {
            use rayon::prelude::*;
            return pool.install(|| inputs.par_iter().map(map).collect());
        }
        inputs.iter().map(map).collect()
    }

    /// Maps what `next` gives, until it gives nothing; `take` gets each with what it came to, in order and on this thread,
    /// while the following ones are mapped. Two for each thread are at work or wait, and two more, so that no thread waits
    /// for another. Nothing is begun behind an error.
    pub(super) fn in_order<C, I: Send, T: Send, E>(
        &self,
        context: &mut C,
        mut next: impl FnMut(&mut C) -> Option<I>,
        map: impl Fn(&I) -> T + Send + Sync,
        mut take: impl FnMut(&mut C, I, T) -> Result<(), E>,
    ) -> Result<(), E> {
        #[cfg(feature = "threads")]
        if let Some(pool) = &self.pool {
            let most = 2 * pool.current_num_threads() + 2;
            let map = &map;
            return pool.in_place_scope(|scope| {
                let mut begun = VecDeque::with_capacity(most);
                loop {
                    while begun.len() < most
                        && let Some(input) = next(context)
                    {
                        let (done, when_done) = mpsc::sync_channel(1);
                        scope.spawn(move |_| {
                            let mapped = map(&input);
                            // Nobody waits for it behind an error.
                            let _ = done.send((input, mapped));
                        });
                        begun.push_back(when_done);
                    }
                    let Some(first) = begun.pop_front() else { return Ok(()) };
                    // A thread that panicked sends nothing; the scope goes on with its panic.
                    let Ok((input, mapped)) = first.recv() else { return Ok(()) };
                    take(context, input, mapped)?;
                }
            });
        }
        while let Some(input) = next(context) {
            let mapped = map(&input);
            take(context, input, mapped)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Workers;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// What came of `0..100`, in the order it was taken, and the most that were begun and not taken.
    fn mapped(threads: usize, stop: usize) -> (Vec<usize>, Result<(), usize>, usize) {
        let mut context = (0..100, vec![]);
        let (begun, most, taken) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
        let result = Workers::new(threads, 100).in_order(
            &mut context,
            |(numbers, _)| {
                let now = begun.fetch_add(1, Ordering::Relaxed) + 1 - taken.load(Ordering::Relaxed);
                most.fetch_max(now, Ordering::Relaxed);
                numbers.next()
            },
            |number: &usize| {
                // The first ones are the slowest.
                std::thread::sleep(std::time::Duration::from_micros(300 / (1 + *number as u64)));
                number * number
            },
            |(_, squares), number, square| {
                taken.fetch_add(1, Ordering::Relaxed);
                squares.push(square);
                if number == stop { Err(number) } else { Ok(()) }
            },
        );
        (context.1, result, most.into_inner())
    }

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        for threads in [1, 2, 7] {
            let (squares, result, most) = mapped(threads, usize::MAX);
            assert_eq!(squares, (0..100).map(|number| number * number).collect::<Vec<_>>());
            assert_eq!(result, Ok(()));
            assert!(most <= 2 * threads + 3, "{most} with {threads} threads");
        }
    }

    #[test]
    fn an_error_ends_it() {
        for threads in [1, 2, 7] {
            let (squares, result, _) = mapped(threads, 5);
            assert_eq!((squares.len(), result), (6, Err(5)));
        }
    }
}
