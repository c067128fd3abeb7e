//! How much work a check of a password is, so that it is the same for every address.

use std::sync::{Mutex, PoisonError};

use argon2::Params;

use super::hasher::HASH_LENGTH;

/// How many times today's memory and today's work a kept hash may cost and still set the cost of all checks. One hash
/// that costs more, however it came into the database, must not slow every login down.
const MOST_TIMES: u32 = 8;

/// The parameters of the costliest hash in use: what a check costs where there is no hash, or a cheaper one.
#[derive(Debug)]
pub(super) struct Costliest {
    today: Params,
    known: Mutex<Params>,
}

impl Costliest {
    /// Today's parameters, until a costlier hash is met.
    pub(super) fn new(today: Params) -> Self {
        Self { known: Mutex::new(today.clone()), today }
    }

    /// The parameters of the costliest hash that was met.
    pub(super) fn params(&self) -> Params {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Remembers the parameters of a kept hash where they cost more than all before, within the bound.
    pub(super) fn meet(&self, kept: &Params) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if work(kept) > work(&known) {
            *known = self.within_the_bound(kept);
        }
    }

    fn within_the_bound(&self, kept: &Params) -> Params {
        let memory = kept.m_cost().min(self.today.m_cost().saturating_mul(MOST_TIMES));
        let most = work(&self.today).saturating_mul(MOST_TIMES.into());
        let passes = u32::try_from(work(kept).min(most) / u64::from(memory)).unwrap_or(u32::MAX).max(1);
        let bounded = Params::new(memory, passes, kept.p_cost(), Some(HASH_LENGTH));
        bounded.unwrap_or_else(|_| self.today.clone())
    }
}

/// Parameters whose work and that of `done` together are that of `wanted`; `None` where `done` is work enough.
pub(super) fn rest_of_work(wanted: &Params, done: &Params) -> Option<Params> {
    let rest = work(wanted).checked_sub(work(done))?;
    let passes = rest.div_ceil(u64::from(wanted.m_cost()));
    let memory = u32::try_from(rest.checked_div(passes)?).ok()?;
    Params::new(memory, u32::try_from(passes).ok()?, wanted.p_cost(), Some(HASH_LENGTH)).ok()
}

/// Argon2's time goes with the product of memory and passes.
fn work(params: &Params) -> u64 {
    u64::from(params.m_cost()) * u64::from(params.t_cost())
}

/// What distinguishes the cost of two hashes.
pub(super) fn cost(params: &Params) -> (u32, u32, u32) {
    (params.m_cost(), params.t_cost(), params.p_cost())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(memory: u32, passes: u32) -> Params {
        Params::new(memory, passes, 1, Some(HASH_LENGTH)).unwrap()
    }

    #[test]
    fn a_cheaper_hash_is_topped_up_to_todays_work() {
        let rest = |wanted, done| rest_of_work(&wanted, &done).map(|rest| cost(&rest));
        assert_eq!(rest(params(19_456, 6), params(19_456, 2)), Some((19_456, 4, 1)));
        assert_eq!(rest(params(19_456, 2), params(8_192, 3)), Some((14_336, 1, 1)));
        assert_eq!(rest(params(65_536, 3), params(19_456, 2)), Some((52_565, 3, 1)));
        assert_eq!(rest(params(19_456, 2), params(19_456, 2)), None);
        assert_eq!(rest(params(19_456, 2), params(65_536, 3)), None);
    }

    #[test]
    fn every_check_is_the_work_of_the_costliest_hash_in_use() {
        let costliest = Costliest::new(params(19_456, 2));
        for kept in [params(8_192, 3), params(65_536, 3), params(32_768, 4), params(19_456, 2)] {
            costliest.meet(&kept);
        }
        let wanted = costliest.params();
        assert_eq!(cost(&wanted), (65_536, 3, 1));
        for done in [params(8_192, 3), params(32_768, 4), params(19_456, 2), params(65_536, 3)] {
            let rest = rest_of_work(&wanted, &done).map_or(0, |rest| work(&rest));
            let apart = work(&wanted) - (work(&done) + rest);
            assert!(apart < 10, "{:?} leaves {apart} to do", cost(&done));
        }
    }

    #[test]
    fn no_hash_makes_all_checks_cost_more_than_eight_times_todays() {
        for kept in [params(4_000_000, 1), params(19_456, 500), params(160_000, 50)] {
            let costliest = Costliest::new(params(19_456, 2));
            costliest.meet(&kept);
            let taken = costliest.params();
            assert!(taken.m_cost() <= 8 * 19_456 && work(&taken) <= 8 * 2 * 19_456, "{:?}", cost(&taken));
            assert!(work(&taken) > 6 * 2 * 19_456, "{:?}", cost(&taken));
        }
    }
}
