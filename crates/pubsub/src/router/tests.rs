use super::*;
use crate::matches;
use std::{collections::BTreeSet, format, println, string::String, vec, vec::Vec};

type Small<'f> = Router<&'f str, [Route<&'f str>; 8], [Node; 24]>;

fn small<'f>(matching: Matching) -> Small<'f> {
    Router::new([Route::EMPTY; 8], [Node::EMPTY; 24], matching)
}

fn routed<F, R, N>(router: &mut Router<F, R, N>, topic: &str) -> Vec<usize>
where
    F: AsRef<str>,
    R: AsRef<[Route<F>]> + AsMut<[Route<F>]>,
    N: AsRef<[Node]> + AsMut<[Node]>,
{
    let mut found: Vec<_> = router.route(topic).map(Subscriber::index).collect();
    found.sort_unstable();
    found
}

#[test]
fn overlapping_filters_of_one_subscriber_give_it_the_message_once() {
    let mut router = small(Matching::Standard);
    let one = router.add(None, "a/+").unwrap();
    for filter in ["a/#", "a/b", "$share/g/a/b"] {
        assert_eq!(router.add(Some(one), filter), Ok(one));
    }
    let two = router.add(None, "a/b").unwrap();
    for _ in 0..3 {
        assert_eq!(routed(&mut router, "a/b"), [one.index(), two.index()]);
    }
    assert_eq!(routed(&mut router, "a"), [one.index()]);
    assert_eq!(routed(&mut router, "b"), [0_usize; 0]);
}

#[test]
fn topic_that_begins_with_a_dollar_sign_is_matched_by_no_wildcard_in_its_place() {
    let mut router = small(Matching::Standard);
    let all = ["#", "+/a", "+/#"].map(|filter| router.add(None, filter).unwrap().index());
    let system = router.add(None, "$SYS/+").unwrap().index();
    assert_eq!(routed(&mut router, "$SYS/a"), [system]);
    assert_eq!(routed(&mut router, "SYS/a"), all);
}

#[test]
fn multi_level_wildcard_misses_its_parent_only_at_aws() {
    for (matching, parent) in [(Matching::Standard, &[0_usize][..]), (Matching::Aws, &[])] {
        let mut router = small(matching);
        router.add(None, "a/#").unwrap();
        assert_eq!(routed(&mut router, "a"), parent);
        assert_eq!(routed(&mut router, "a/"), [0]);
        assert_eq!(routed(&mut router, "a/b/c"), [0]);
    }
}

#[test]
fn filter_without_room_comes_back_and_nothing_has_changed() {
    let mut router: Router<_, [Route<&str>; 2], [Node; 4]> =
        Router::new([Route::EMPTY; 2], [Node::EMPTY; 4], Matching::Standard);
    router.add(None, "a").unwrap();
    assert_eq!(router.add(None, "a/b/+"), Err("a/b/+"), "three nodes, and two are left");
    router.add(None, "b").unwrap();
    assert_eq!(router.add(None, "b"), Err("b"), "no route is left");
    assert_eq!(routed(&mut router, "b"), [1]);
    router.remove(Subscriber(0), |_, _| {});
    assert_eq!(router.add(None, "b").unwrap().index(), 0);
    assert_eq!(routed(&mut router, "b"), [0, 1]);
}

#[test]
fn removed_subscriber_gives_back_its_filters_and_says_who_holds_them() {
    let mut router = small(Matching::Standard);
    let one = router.add(None, "a").unwrap();
    router.add(Some(one), "b/+").unwrap();
    router.add(Some(one), "$share/g/c").unwrap();
    let two = router.add(None, "a").unwrap();
    router.add(Some(two), "c").unwrap();
    let mut given = Vec::new();
    router.remove(one, |filter, holders| given.push((filter, holders)));
    given.sort_by_key(|(filter, _)| *filter);
    let expected = [("$share/g/c", Holders::None), ("a", Holders::Others), ("b/+", Holders::None)];
    assert_eq!(given, expected);
    router.remove(one, |filter, _| panic!("{filter} again"));
    assert_eq!(routed(&mut router, "a"), [two.index()]);
    assert_eq!(routed(&mut router, "b/x"), [0_usize; 0]);
    router.remove(two, |_, holders| assert_eq!(holders, Holders::None));
    assert!(router.is_empty());
}

#[test]
fn filter_deeper_than_the_index_is_found_all_the_same() {
    let deep = "a/".repeat(3 * LEVELS_MAX);
    for tail in ["+", "#", "b/+", "+/#"] {
        for front in ["", "+/"] {
            let filter = format!("{front}{deep}{tail}");
            let mut router = small(Matching::Standard);
            let index = router.add(None, &*filter).unwrap().index();
            let (front, yes) = (front.replace('+', "x"), tail.replace(['+', '#'], "x"));
            assert_eq!(routed(&mut router, &format!("{front}{deep}{yes}")), [index], "{filter}");
            assert_eq!(routed(&mut router, &format!("{front}b/{deep}{yes}")), [0_usize; 0]);
        }
    }
    let slashes = "/".repeat(65_535);
    let mut router = small(Matching::Standard);
    router.add(None, "#").unwrap();
    router.add(None, "+/+").unwrap();
    assert_eq!(routed(&mut router, &slashes), [0]);
}

#[test]
fn turns_that_come_round_are_told_apart() {
    let mut router = small(Matching::Standard);
    router.add(None, "a").unwrap();
    assert_eq!(routed(&mut router, "a"), [0]);
    router.turn = u32::MAX;
    assert_eq!(routed(&mut router, "a"), [0]);
}

fn below(limit: usize, state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
    (*state >> 40) as usize % limit
}

fn random_filter(state: &mut u64) -> String {
    const LEVELS: [&str; 6] = ["a", "b", "", "+", "$x", "longer than a word"];
    let count = 1 + below(4, state);
    let mut levels: Vec<_> = (0..count).map(|_| LEVELS[below(LEVELS.len(), state)]).collect();
    if below(4, state) == 0 {
        levels.push("#");
    }
    let share = if below(8, state) == 0 { "$share/g/" } else { "" };
    match levels.join("/") {
        empty if empty.is_empty() => format!("{share}a"),
        filter => format!("{share}{filter}"),
    }
}

/// Adding, removing and moving at random, compared with looking at every filter.
#[test]
fn routing_agrees_with_comparing_every_filter() {
    for seed in 1..=100 {
        println!("seed {seed}");
        let mut state = seed;
        let matching = if seed % 2 == 0 { Matching::Standard } else { Matching::Aws };
        let memory = |routes, nodes| (vec![Route::EMPTY; routes], vec![Node::EMPTY; nodes]);
        let (routes, nodes) = memory(4, 8);
        let mut router = Router::new(routes, nodes, matching);
        let mut model: Vec<(Subscriber, Vec<String>)> = Vec::new();
        let (mut routes, mut nodes) = (4, 8);
        for _ in 0..200 {
            if below(3, &mut state) > 0 {
                let mut subscriber = None;
                let mut filters = Vec::new();
                for _ in 0..=below(3, &mut state) {
                    let mut filter = random_filter(&mut state);
                    filters.push(filter.clone());
                    loop {
                        match router.add(subscriber, filter) {
                            Ok(added) => break subscriber = Some(added),
                            Err(back) => filter = back,
                        }
                        (routes, nodes) = (routes * 2, nodes * 2);
                        let (more_routes, more_nodes) = memory(routes, nodes);
                        router = router.moved_to(more_routes, more_nodes).unwrap();
                    }
                }
                model.push((subscriber.unwrap(), filters));
            } else if !model.is_empty() {
                let (subscriber, mut filters) = model.swap_remove(below(model.len(), &mut state));
                let mut given = Vec::new();
                router.remove(subscriber, |filter, holders| given.push((filter, holders)));
                for (filter, holders) in given {
                    let at = filters.iter().position(|other| *other == filter).unwrap();
                    filters.swap_remove(at);
                    let held = filters.contains(&filter)
                        || model.iter().any(|(_, others)| others.contains(&filter));
                    assert_eq!(holders == Holders::Others, held, "{filter}");
                }
                assert!(filters.is_empty(), "{filters:?}");
            }
            let topic = random_filter(&mut state).replace(['+', '#'], "a");
            let expected: BTreeSet<_> = model
                .iter()
                .filter(|(_, filters)| filters.iter().any(|one| matches(one, &topic, matching)))
                .map(|(subscriber, _)| subscriber.index())
                .collect();
            assert_eq!(routed(&mut router, &topic), Vec::from_iter(expected), "{topic}");
        }
        for (subscriber, _) in model {
            router.remove(subscriber, |_, _| {});
        }
        assert!(router.is_empty());
    }
}
