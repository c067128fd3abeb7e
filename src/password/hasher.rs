//! Hashing passwords, away from the threads that serve requests.
//!
//! Argon2id costs milliseconds and megabytes by design. As many workers as the machine has cores take jobs from one
//! bounded queue ([`super::queue`]); each reuses its block of memory, so that memory does not grow with the number of
//! callers. A caller asks for a place first. It is held until the rule that asked and the worker are done with it; where
//! the caller hangs up before a worker begins, the job is dropped and its place is free.

use std::fmt;
use std::sync::Arc;
use std::thread;

use aligned_vec::{AVec, ConstAlign};
use argon2::password_hash::phc::{Output, ParamsString, PasswordHash as Phc, Salt};
use argon2::{ARGON2ID_IDENT, Algorithm, Argon2, Block, Params, Version};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use super::queue::{Bounds, Place as PlaceOf, Queue, Who};
use super::work::{Costliest, cost, rest_of_work};
use crate::fault::Fault;
use crate::kernel::Invalid;
use crate::kernel::password::{NewPassword, Password, PasswordHash, PersonalWords};
use crate::kernel::random::Random;

/// A handle to the workers; they end when the last handle is gone.
#[derive(Clone)]
pub struct Hasher {
    workers: Arc<Workers>,
    params: Params,
    costliest: Arc<Costliest>,
    random: Random,
}

/// A place in the queue.
pub type Place = PlaceOf<Job>;

/// What a worker is to do.
pub type Job = Box<dyn FnOnce(&mut Memory) + Send>;

/// The queue of the workers, which is closed with the last handle.
struct Workers(Queue<Job>);

impl Drop for Workers {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// The blocks that one worker reuses from hash to hash, in huge pages where the system has them: Argon2 reads at random,
/// and in ordinary pages the processor would look up the address of nearly every block. mimalloc asks the system for huge
/// pages where an allocation has their alignment and a multiple of their size.
pub type Memory = AVec<Block, ConstAlign<HUGE_PAGE>>;

/// The size of a huge page, in bytes.
const HUGE_PAGE: usize = 2 * 1024 * 1024;

/// Places for each worker: about a second's worth of jobs at the default cost.
const PLACES_PER_WORKER: usize = 64;

/// Places of one source: a workshop of twenty signs up together.
const PLACES_PER_SOURCE: usize = 24;

/// Places at one account: more than the guesses at once that are counted (`throttle::limits::LOGIN`).
const PLACES_PER_ACCOUNT: usize = 8;

/// The length of a hash and of its salt, in bytes (RFC 9106, section 3.1).
pub(super) const HASH_LENGTH: usize = 32;
const SALT_LENGTH: usize = 16;

/// How much gentler the workers are than the threads that serve, in steps of `nice`: profile reads go on during a
/// flood of logins.
const NICENESS: i32 = 5;

/// What a check of a password found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is another password, or there was none to compare it with.
    Wrong,
    /// It is the one.
    Right,
    /// It is the one, but its hash was made at another cost: [`Hasher::renew`] it.
    RightButOutdated,
}

impl Hasher {
    /// Starts the workers, to hash at this cost.
    ///
    /// # Errors
    /// Where Argon2 has no such cost.
    pub fn start(
        (memory_kib, iterations, parallelism): (u32, u32, u32),
        sources: Sources,
        random: Random,
    ) -> Result<Self, Invalid> {
        let params = Params::new(memory_kib, iterations, parallelism, Some(HASH_LENGTH))
            .map_err(|error| Invalid::because(format!("Argon2 has no such cost: {error}")))?;
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let queue = Queue::new(sources.bounds(workers * PLACES_PER_WORKER));
        for number in 0..workers {
            let jobs = queue.clone();
            let worker = thread::Builder::new().name(format!("hasher-{number}"));
            worker.spawn(move || work(&jobs)).map_err(|error| Invalid::because(error.to_string()))?;
        }
        let costliest = Arc::new(Costliest::new(params.clone()));
        Ok(Self { workers: Arc::new(Workers(queue)), params, costliest, random })
    }

    /// Takes the cost of kept hashes into account: from now on a check costs as much as the costliest of them, where that
    /// is more than today's cost, whether or not there is an account.
    pub fn meet(&self, kept: &[PasswordHash]) {
        for hash in kept {
            if let Some(params) = Phc::new(hash.as_phc()).ok().and_then(|phc| Params::try_from(&phc).ok()) {
                self.costliest.meet(&params);
            }
        }
    }

    /// Memory in KiB, passes and lanes of each check.
    #[must_use]
    pub fn cost_of_a_check(&self) -> (u32, u32, u32) {
        cost(&self.costliest.params())
    }

    /// A place in the queue: ask for it before anything is counted or written for the caller.
    ///
    /// # Errors
    /// Where there is none, at once.
    pub fn ask(&self, who: Who) -> Result<Place, Fault> {
        self.workers.0.ask(who).ok_or(Fault::Overloaded)
    }

    /// Hashes a password that somebody wants from now on, if it is strong enough given who they are.
    ///
    /// # Errors
    /// The outer one where the workers are gone, the inner one where the password is too weak, with the reason.
    pub async fn hash_new(
        &self,
        place: &Place,
        password: NewPassword,
        personal: PersonalWords,
    ) -> Result<Result<PasswordHash, Invalid>, Fault> {
        let (params, salt) = (self.params.clone(), self.random.bytes());
        run(place, move |memory| {
            password.as_password().check_strength(&personal)?;
            Ok(hash(password.as_password(), &params, salt, memory))
        })
        .await
    }

    /// Hashes a password that was found right, at today's cost; `None` while others wait for a worker. It can be made anew
    /// at any later login, and the caller of this one has waited for a worker once already.
    ///
    /// # Errors
    /// Where the workers are gone.
    pub async fn renew(&self, place: &Place, password: Password) -> Result<Option<PasswordHash>, Fault> {
        if self.waiting() > 0 {
            return Ok(None);
        }
        let (params, salt) = (self.params.clone(), self.random.bytes());
        run(place, move |memory| hash(&password, &params, salt, memory)).await.map(Some)
    }

    /// Compares a password with a hash, at the cost of the costliest hash in use: without a hash it does that work and
    /// finds the password wrong, and the work of a cheaper hash is topped up to it, whatever the verdict. So the time does
    /// not tell whether there was an account. (A hash that costs more than the bound takes longer, until its owner logs
    /// in.)
    ///
    /// # Errors
    /// Where the workers are gone.
    pub async fn verify(
        &self,
        place: &Place,
        password: Password,
        kept: Option<PasswordHash>,
    ) -> Result<Verdict, Fault> {
        let (today, salt) = (self.params.clone(), self.random.bytes::<SALT_LENGTH>());
        let costliest = self.costliest.clone();
        run(place, move |memory| {
            let kept = kept.as_ref().and_then(|kept| Phc::new(kept.as_phc()).ok());
            let Some((kept, kept_params)) = kept.and_then(|kept| Params::try_from(&kept).ok().map(|p| (kept, p)))
            else {
                digest(&password, &costliest.params(), &salt, memory);
                return Verdict::Wrong;
            };
            // Another node may hash at another cost, and rows may have come in by other ways.
            costliest.meet(&kept_params);
            let (Some(kept_salt), Some(kept_hash)) = (kept.salt, kept.hash) else { return Verdict::Wrong };
            let found = digest(&password, &kept_params, kept_salt.as_ref(), memory);
            if let Some(rest) = rest_of_work(&costliest.params(), &kept_params) {
                digest(&password, &rest, &salt, memory);
            }
            if !bool::from(found.as_slice().ct_eq(kept_hash.as_bytes())) {
                return Verdict::Wrong;
            }
            let is_current = cost(&kept_params) == cost(&today) && kept.algorithm == ARGON2ID_IDENT;
            if is_current { Verdict::Right } else { Verdict::RightButOutdated }
        })
        .await
    }

    /// How many jobs wait for a worker.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.workers.0.waiting()
    }
}

/// Whether sources are told apart. Where limits are off all may be one, a proxy for example.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sources {
    /// Each has few places.
    Bounded,
    /// Each may have all places.
    Unbounded,
}

impl Sources {
    fn bounds(self, in_all: usize) -> Bounds {
        let (per_source, per_account) = match self {
            Self::Bounded => (PLACES_PER_SOURCE, PLACES_PER_ACCOUNT),
            Self::Unbounded => (in_all, in_all),
        };
        Bounds { in_all, per_source, per_account }
    }
}

/// Puts a job into the queue and waits for what it gives.
async fn run<T: Send + 'static>(
    place: &Place,
    job: impl FnOnce(&mut Memory) -> T + Send + 'static,
) -> Result<T, Fault> {
    /// Where the caller hangs up, what waits is dropped.
    struct HangUp<'a>(&'a Place);
    impl Drop for HangUp<'_> {
        fn drop(&mut self) {
            self.0.withdraw();
        }
    }
    let (answer, answered) = oneshot::channel();
    let _hang_up = HangUp(place);
    place.submit(Box::new(move |memory| {
        // Nobody listens where the caller hung up while a worker was at it.
        let _ = answer.send(job(memory));
    }));
    answered.await.map_err(|error| match place.was_taken() {
        true => Fault::Overloaded,
        false => Fault::Internal("a password worker gave no answer", error.into()),
    })
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher").field("params", &self.params).field("waiting", &self.waiting()).finish()
    }
}

fn work(jobs: &Queue<Job>) {
    // On Linux this concerns the calling thread alone; elsewhere it would slow the whole process. Where it is refused
    // the workers merely are not gentler.
    if cfg!(target_os = "linux") {
        let _ = rustix::process::setpriority_process(None, NICENESS);
    }
    let mut memory = Memory::new(HUGE_PAGE);
    while let Some((job, _place)) = jobs.take() {
        // A job that panics takes its answer with it (its caller hears 500), not the worker.
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(&mut memory))).is_err() {
            memory = Memory::new(HUGE_PAGE);
        }
    }
}

fn hash(password: &Password, params: &Params, salt: [u8; SALT_LENGTH], memory: &mut Memory) -> PasswordHash {
    let digest = digest(password, params, &salt, memory);
    let phc = Phc {
        algorithm: ARGON2ID_IDENT,
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params).expect("parameters that Argon2 took fit a PHC string"),
        salt: Some(Salt::new(&salt).expect("16 bytes are a salt")),
        hash: Some(Output::new(&digest).expect("32 bytes are a hash")),
    };
    PasswordHash::from_phc(phc.to_string())
}

/// As many blocks as a hash at this cost takes, up to the end of a huge page.
#[must_use]
pub fn blocks(params: &Params) -> Memory {
    let mut memory = Memory::new(HUGE_PAGE);
    memory.resize(params.block_count().next_multiple_of(HUGE_PAGE / Block::SIZE), Block::default());
    memory
}

fn digest(password: &Password, params: &Params, salt: &[u8], memory: &mut Memory) -> Vec<u8> {
    if memory.len() < params.block_count() {
        // What was too small goes first, so that the two are not held at once.
        *memory = Memory::new(HUGE_PAGE);
        *memory = blocks(params);
    }
    let mut digest = vec![0; params.output_len().unwrap_or(HASH_LENGTH)];
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_into_with_memory(password.expose().as_bytes(), salt, &mut digest, memory.as_mut_slice())
        .expect("Argon2 took these parameters before");
    digest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::origin::Source;

    fn hasher(iterations: u32) -> Hasher {
        Hasher::start((64, iterations, 1), Sources::Unbounded, Random::seeded(1)).unwrap()
    }

    fn place(hasher: &Hasher) -> Result<Place, Fault> {
        let source = Source::new(std::net::Ipv4Addr::LOCALHOST.into());
        hasher.ask(Who { source, account: None, is_known: true })
    }

    async fn hash(hasher: &Hasher, password: &str) -> PasswordHash {
        hasher
            .hash_new(&place(hasher).unwrap(), password.parse().unwrap(), PersonalWords::default())
            .await
            .unwrap()
            .unwrap()
    }

    #[tokio::test]
    async fn a_hash_is_a_phc_string_that_fits_its_password_alone() {
        let hasher = hasher(2);
        let kept = hash(&hasher, "umbrella-quartz-71").await;
        assert!(kept.as_phc().starts_with("$argon2id$v=19$m=64,t=2,p=1$"), "{}", kept.as_phc());
        let place = place(&hasher).unwrap();
        let verify = |password| hasher.verify(&place, Password::received(password), Some(kept.clone()));
        assert!(matches!(verify("umbrella-quartz-71").await.unwrap(), Verdict::Right));
        assert!(matches!(verify("umbrella-quartz-72").await.unwrap(), Verdict::Wrong));
        assert!(matches!(hasher.verify(&place, Password::received("any"), None).await.unwrap(), Verdict::Wrong));
    }

    #[tokio::test]
    async fn a_hash_made_at_another_cost_is_right_but_outdated() {
        let kept = hash(&hasher(1), "umbrella-quartz-71").await;
        let now = hasher(3);
        let password = || Password::received("umbrella-quartz-71");
        let place = place(&now).unwrap();
        assert_eq!(now.verify(&place, password(), Some(kept)).await.unwrap(), Verdict::RightButOutdated);
        let renewed = now.renew(&place, password()).await.unwrap().unwrap();
        assert!(renewed.as_phc().contains("t=3"));
        assert_eq!(now.verify(&place, password(), Some(renewed)).await.unwrap(), Verdict::Right);
    }

    #[tokio::test]
    async fn past_the_queue_the_answer_is_overloaded_at_once() {
        let hasher = hasher(1);
        let workers = thread::available_parallelism().map_or(1, usize::from);
        let (release, blocked) = std::sync::mpsc::channel::<()>();
        let blocked = Arc::new(std::sync::Mutex::new(blocked));
        let places: Vec<_> = std::iter::from_fn(|| place(&hasher).ok()).collect();
        assert_eq!(places.len(), workers * PLACES_PER_WORKER * 3 / 4, "a quarter is left to strangers");
        let mut held: Vec<_> = places
            .iter()
            .map(|place| {
                let blocked = blocked.clone();
                Box::pin(run(place, move |_| drop(blocked.lock().map(|gate| gate.recv()))))
            })
            .collect();
        for job in &mut held {
            assert!(futures_util::poll!(job).is_pending());
        }
        assert!(matches!(place(&hasher), Err(Fault::Overloaded)));
        while hasher.waiting() > places.len() - workers {
            tokio::task::yield_now().await;
        }
        let renewed = hasher.renew(&places[0], Password::received("umbrella-quartz-71")).await;
        assert!(matches!(renewed, Ok(None)), "a right password is not refused for its hash's sake");
        // Everybody hangs up: what no worker has begun is dropped …
        drop(held);
        assert_eq!(hasher.waiting(), 0);
        drop(places);
        assert!(place(&hasher).is_ok());
        // … and the workers go on.
        drop(release);
        hash(&hasher, "umbrella-quartz-71").await;
    }
}
