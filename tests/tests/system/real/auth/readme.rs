//! The README's lines about signing in, typed as they stand: a person, then a job at night.

use super::super::keycloak::{Keycloak, approves, free_port};
use crate::{
    harness::World,
    readme::{Reader, commands},
};

#[test]
fn the_readmes_lines_sign_a_person_in_and_money_moves_by_day_and_at_night() {
    let Some(_keycloak) = Keycloak::of("the README's lines about signing in") else { return };
    let stack = std::env::var("WALLET_STACK").unwrap();
    let world = World::new();
    // The stack is this run's, not the one of whoever runs it.
    let mut reader = Reader::new(&world, &[("STACK_DIR", &stack)]);
    reader.follows(&commands("A tour", str::to_owned)[0], |_| {});
    // Another run's daemon may be on the README's port.
    let port = free_port().to_string();
    let shown = commands("Signing in", |text| text.replace("8420", &port));
    let mut signed_in = 0;
    for shown in &shown {
        reader.follows(shown, |line| {
            if let Some(page) = line.strip_prefix("Open ") {
                approves(page.trim(), "olivia", &[]).ok();
                signed_in += 1;
            }
        });
    }
    assert_eq!(signed_in, 1, "nobody was sent to a page");
    assert_eq!((world.balance("w_shop"), world.balance("w_till")), ("85.00".into(), "15.00".into()));
}
