//! A few threads that share one piece of work at a time.
//!
//! Decoding a token is some thirty short matrix products in a row: too short for waking a sleeping
//! thread each time. A worker that runs out of work therefore looks for more for a few dozen
//! microseconds before it sleeps; between utterances all of them sleep.
//!
//! The caller works too, and never waits for a worker that has not begun: a worker that wakes too
//! late finds the gate closed.

use std::any::Any;
use std::cell::UnsafeCell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

/// Looks at the gate before a worker goes to sleep: some 50 µs.
const LOOKS_BEFORE_SLEEP: u32 = 4_000;
/// Looks between two offers of the processor to others.
const LOOKS_BEFORE_YIELD: u32 = 64;

/// Threads for one piece of work at a time.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held while a job runs; whoever finds it taken works alone.
    running: Mutex<()>,
}

/// Runs one item, given its index and the worker's.
type Job<'a> = dyn Fn(usize, usize) + Sync + 'a;

struct Shared {
    /// Odd while a job is open; grows by one with each opening and closing.
    gate: AtomicUsize,
    /// Workers that passed the gate and have not left.
    inside: AtomicUsize,
    next_item: AtomicUsize,
    job: UnsafeCell<Option<(*const Job<'static>, usize)>>,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    quit: AtomicBool,
    sleepers: Mutex<usize>,
    wake: Condvar,
}

// SAFETY: `job` is written only while the gate is closed and nobody is inside, and read only by
// those inside; the rest is synchronized by itself. The closure behind the pointer is `Sync`.
#[allow(unsafe_code, reason = "the job's pointer crosses threads under the gate's protocol")]
unsafe impl Sync for Shared {}
// SAFETY: as above.
#[allow(unsafe_code, reason = "the job's pointer crosses threads under the gate's protocol")]
unsafe impl Send for Shared {}

impl Pool {
    /// `threads` in all, the caller's among them; at least 1.
    pub(crate) fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            gate: AtomicUsize::new(0),
            inside: AtomicUsize::new(0),
            next_item: AtomicUsize::new(0),
            job: UnsafeCell::new(None),
            panic: Mutex::new(None),
            quit: AtomicBool::new(false),
            sleepers: Mutex::new(0),
            wake: Condvar::new(),
        });
        let spawn = |worker: usize| {
            let shared = Arc::clone(&shared);
            let name = format!("kernel-{worker}");
            // A system that gives no further thread leaves us with those there are.
            std::thread::Builder::new().name(name).spawn(move || shared.work(worker)).ok()
        };
        let workers = (1..threads.max(1)).map_while(spawn).collect();
        Self { shared, workers, running: Mutex::new(()) }
    }

    /// How many work, the caller among them.
    pub(crate) fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `job(item, worker)` once for each item below `items`, `worker` below [`Pool::threads`].
    pub(crate) fn run(&self, items: usize, job: &Job<'_>) {
        let running = self.running.try_lock();
        if items < 2 || self.workers.is_empty() || running.is_err() {
            return (0..items).for_each(|item| job(item, 0));
        }
        let shared = &*self.shared;
        let job: *const Job<'_> = job;
        // SAFETY: only the lifetime is erased. The gate is closed and nobody is inside, so nobody
        // reads `job`; the pointer is not used after `close`, which waits for those inside.
        #[allow(unsafe_code, reason = "a scoped closure is lent to threads that outlive it, and taken back")]
        unsafe {
            *shared.job.get() =
                Some((std::mem::transmute::<*const Job<'_>, *const Job<'static>>(job), items));
        }
        shared.next_item.store(0, SeqCst);
        shared.gate.fetch_add(1, SeqCst);
        let sleepers = *lock(&shared.sleepers);
        if sleepers > 0 {
            shared.wake.notify_all();
        }
        shared.take_items(0);
        shared.gate.fetch_add(1, SeqCst);
        let mut looks = 0;
        while shared.inside.load(SeqCst) > 0 {
            look(&mut looks);
        }
        drop(running);
        if let Some(panic) = lock(&shared.panic).take() {
            resume_unwind(panic);
        }
    }

    /// Calls `work(index, part, scratch)` once for each part, with a scratch that no other call uses meanwhile.
    /// `scratch` has an element for each thread.
    pub(crate) fn each<T: Send, S: Send>(
        &self,
        parts: &mut [T],
        scratch: &mut [S],
        work: impl Fn(usize, &mut T, &mut S) + Sync,
    ) {
        assert!(scratch.len() >= self.threads(), "a scratch for each thread");
        let (parts, scratch) = (Parts::of(parts), Parts::of(scratch));
        self.run(parts.len, &|item, worker| {
            // SAFETY: `run` gives each item to one call, and no worker two items at a time.
            #[allow(unsafe_code, reason = "disjoint parts of one slice, dealt out by index")]
            let (part, scratch) = unsafe { (parts.get(item), scratch.get(worker)) };
            work(item, part, scratch);
        });
    }

    /// Calls `work(index, chunk)` once for each chunk of `len` elements of `data`, the last perhaps shorter.
    pub(crate) fn chunks<T: Send>(&self, data: &mut [T], len: usize, work: impl Fn(usize, &mut [T]) + Sync) {
        let items = data.len().div_ceil(len);
        let parts = Parts::of(data);
        self.run(items, &|item, _| {
            // SAFETY: `run` gives each item to one call, and chunks do not overlap.
            #[allow(unsafe_code, reason = "disjoint parts of one slice, dealt out by index")]
            let chunk = unsafe { parts.chunk(item * len, len) };
            work(item, chunk);
        });
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.quit.store(true, SeqCst);
        drop(lock(&self.shared.sleepers));
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker's panic was handed to the caller of its job.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn work(&self, worker: usize) {
        let mut seen = 0;
        while let Some(gate) = self.await_opening(seen) {
            seen = gate;
            self.inside.fetch_add(1, SeqCst);
            // Whoever is inside before the gate closes keeps the caller waiting until he leaves.
            if self.gate.load(SeqCst) == gate {
                self.take_items(worker);
            }
            self.inside.fetch_sub(1, SeqCst);
        }
    }

    /// The gate's number once it is open and was not `seen`; `None` to quit.
    fn await_opening(&self, seen: usize) -> Option<usize> {
        let fresh = || {
            let gate = self.gate.load(SeqCst);
            (gate % 2 == 1 && gate != seen).then_some(gate)
        };
        let mut looks = 0;
        while looks < LOOKS_BEFORE_SLEEP {
            if self.quit.load(SeqCst) {
                return None;
            }
            if let Some(gate) = fresh() {
                return Some(gate);
            }
            look(&mut looks);
        }
        let mut sleepers = lock(&self.sleepers);
        *sleepers += 1;
        let found = loop {
            if self.quit.load(SeqCst) {
                break None;
            }
            if let Some(gate) = fresh() {
                break Some(gate);
            }
            sleepers = self.wake.wait(sleepers).unwrap_or_else(PoisonError::into_inner);
        };
        *sleepers -= 1;
        found
    }

    /// Runs items until there is none left.
    fn take_items(&self, worker: usize) {
        // SAFETY: we are inside an open gate, or are the caller that opened it: nobody writes `job`,
        // and the closure outlives our stay.
        #[allow(unsafe_code, reason = "reads the job under the gate's protocol")]
        let Some((job, items)) = (unsafe { (*self.job.get()).map(|(job, items)| (&*job, items)) }) else {
            return;
        };
        loop {
            let item = self.next_item.fetch_add(1, SeqCst);
            if item >= items {
                return;
            }
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| job(item, worker))) {
                *lock(&self.panic) = Some(panic);
            }
        }
    }
}

fn look(looks: &mut u32) {
    *looks += 1;
    if looks.is_multiple_of(LOOKS_BEFORE_YIELD) {
        std::thread::yield_now();
    } else {
        std::hint::spin_loop();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A slice whose elements are dealt out by index.
struct Parts<T> {
    first: *mut T,
    len: usize,
}

// SAFETY: elements go to one thread each, and may be sent there.
#[allow(unsafe_code, reason = "disjoint elements of one slice, dealt out by index")]
unsafe impl<T: Send> Sync for Parts<T> {}

impl<T> Parts<T> {
    fn of(slice: &mut [T]) -> Self {
        Self { first: slice.as_mut_ptr(), len: slice.len() }
    }

    /// # Safety
    /// Nobody else uses this element while the reference lives, and the slice outlives it.
    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint elements of one slice, dealt out by index")]
    unsafe fn get(&self, index: usize) -> &mut T {
        assert!(index < self.len);
        // SAFETY: within the slice; the caller vouches for the rest.
        unsafe { &mut *self.first.add(index) }
    }

    /// At most `len` elements from `from` on.
    ///
    /// # Safety
    /// As for [`Parts::get`], for each of the elements.
    #[allow(unsafe_code, clippy::mut_from_ref, reason = "disjoint elements of one slice, dealt out by index")]
    unsafe fn chunk(&self, from: usize, len: usize) -> &mut [T] {
        assert!(from < self.len);
        // SAFETY: within the slice; the caller vouches for the rest.
        unsafe { std::slice::from_raw_parts_mut(self.first.add(from), len.min(self.len - from)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_item_is_done_once_whatever_the_number_of_threads() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            assert_eq!(pool.threads(), threads);
            for items in [0, 1, 2, 7, 100] {
                for _ in 0..50 {
                    let mut parts = vec![0u32; items];
                    let mut scratch = vec![0u32; threads];
                    pool.each(&mut parts, &mut scratch, |i, part, used| {
                        *part += 1 + i as u32;
                        *used += 1;
                    });
                    assert!(parts.iter().enumerate().all(|(i, p)| *p == 1 + i as u32));
                    assert_eq!(scratch.iter().sum::<u32>() as usize, items);
                }
            }
        }
    }

    #[test]
    fn chunks_cover_the_data() {
        let pool = Pool::new(3);
        let mut data = vec![0usize; 1_001];
        pool.chunks(&mut data, 10, |i, chunk| chunk.fill(i));
        assert!(data.iter().enumerate().all(|(at, v)| *v == at / 10));
    }

    #[test]
    fn work_goes_on_after_workers_slept() {
        let pool = Pool::new(2);
        for _ in 0..3 {
            std::thread::sleep(std::time::Duration::from_millis(20));
            let mut parts = vec![0; 64];
            pool.each(&mut parts, &mut [(); 2], |_, part, ()| *part = 1);
            assert_eq!(parts.iter().sum::<i32>(), 64);
        }
    }

    #[test]
    fn a_job_within_a_job_and_a_second_caller_work_alone() {
        let pool = Pool::new(2);
        let done = AtomicUsize::new(0);
        pool.run(4, &|_, _| {
            pool.run(4, &|_, _| {
                done.fetch_add(1, SeqCst);
            });
        });
        assert_eq!(done.load(SeqCst), 16);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| pool.run(8, &|item, _| assert_ne!(item, 5))));
        assert!(caught.is_err());
        let done = AtomicUsize::new(0);
        pool.run(8, &|_, _| {
            done.fetch_add(1, SeqCst);
        });
        assert_eq!(done.load(SeqCst), 8);
    }
}
