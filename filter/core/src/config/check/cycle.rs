//! Ways that lead back to where they began.
//!
//! Not by recursion, whose depth a file would decide: whatever leads nowhere is taken away until nothing more does, then
//! whatever nothing leads to. What is left is on a cycle, or between two.

use alloc::{vec, vec::Vec};

/// The nodes that are on a cycle, or between two, given where each leads.
pub(super) fn on_cycles(edges: &[Vec<usize>]) -> Vec<usize> {
    let mut back: Vec<Vec<usize>> = vec![Vec::new(); edges.len()];
    for (from, targets) in edges.iter().enumerate() {
        for to in targets {
            if let Some(sources) = back.get_mut(*to) {
                sources.push(from);
            }
        }
    }
    let mut left = vec![true; edges.len()];
    take_away(edges, &back, &mut left);
    take_away(&back, edges, &mut left);
    (0..).zip(left).filter_map(|(node, is_left)| is_left.then_some(node)).collect()
}

/// Takes away, again and again, what leads to nothing that is left.
fn take_away(edges: &[Vec<usize>], back: &[Vec<usize>], left: &mut [bool]) {
    let leads_on = |targets: &Vec<usize>, left: &[bool]| {
        targets.iter().filter(|to| left.get(**to).is_some_and(|is_left| *is_left)).count()
    };
    let mut degrees: Vec<usize> = edges.iter().map(|targets| leads_on(targets, left)).collect();
    let mut dead: Vec<usize> =
        (0..).zip(&degrees).filter_map(|(node, degree)| (*degree == 0).then_some(node)).collect();
    while let Some(node) = dead.pop() {
        let Some(is_left) = left.get_mut(node).filter(|is_left| **is_left) else { continue };
        *is_left = false;
        for source in back.get(node).into_iter().flatten() {
            if let Some(degree) = degrees.get_mut(*source) {
                *degree = degree.saturating_sub(1);
                if *degree == 0 {
                    dead.push(*source);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_node_is_on_a_cycle_or_is_not() {
        // 0 → 1 → 2 → 1, 3 → 3, 4 → 0, 5 alone.
        let edges = [vec![1], vec![2, 2], vec![1], vec![3, 5], vec![0], vec![]];
        assert_eq!(on_cycles(&edges), [1, 2, 3]);
        assert_eq!(on_cycles(&[]), [0; 0]);
    }

    /// Whether a way leads from a node to itself.
    fn returns(edges: &[Vec<usize>], node: usize) -> bool {
        let mut seen = vec![false; edges.len()];
        let mut open = edges[node].clone();
        while let Some(next) = open.pop() {
            if next == node {
                return true;
            }
            if !core::mem::replace(&mut seen[next], true) {
                open.extend(&edges[next]);
            }
        }
        false
    }

    proptest! {
        #[test]
        fn every_cycle_is_found_and_none_invented(edges in prop::collection::vec(prop::collection::vec(0..8_usize, 0..3), 8)) {
            let found = on_cycles(&edges);
            for node in 0..edges.len() {
                prop_assert!(!returns(&edges, node) || found.contains(&node));
            }
            let any = (0..edges.len()).any(|node| returns(&edges, node));
            prop_assert_eq!(any, !found.is_empty());
        }
    }
}
