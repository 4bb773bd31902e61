//! What vouchers cost: capacity units and round trips.

use rust_decimal::Decimal;
use tests::World;
use tests::vouchers::{try_buy, voucher_with};

#[tokio::test]
async fn a_purchase_costs_fifteen_write_units_and_more_with_a_limit_or_a_delivery() {
    let world = World::new().await;
    world.give("a", 1000, "").await;
    let to = r#","delivery_method":"sms","delivery_address":"+919812345678""#;
    for (limit, more, units, reads) in
        [("", "", 15, 5), (r#","per_user_limit":9"#, "", 17, 6), ("", to, 18, 5)]
    {
        let id = voucher_with(&world, 10, 30, limit).await;
        // Account 2, entry 2, its index 1, free code 2, code 2, purchase 2, its place in the list 2, the number sold 2; a count 2, a queued
        // message 2 and its index 1. The first purchase learns what to read at once.
        try_buy(&world, &format!("{id}0"), "a", &id, more).await.expect(201);
        world.meter.take();
        try_buy(&world, &format!("{id}1"), "a", &id, more).await.expect(201);
        let found = world.meter.take();
        // Points and free codes are read at once, then the voucher; after the transaction the code is read.
        assert_eq!((found.round_trips, found.write_units), (5, Decimal::from(units)), "{limit}{more}");
        assert_eq!(found.read_units, Decimal::from(reads), "{limit}{more}");
    }
    world.prove().await;
}
