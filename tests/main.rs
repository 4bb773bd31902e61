//! All tests of the workspace, in one binary.
//!
//! Set `SCRIP_TEST_DYNAMODB_ENDPOINT` to run the tests that need a table against another DynamoDB-compatible
//! server.

mod laws {
    mod audit;
    mod authz;
    mod budgets;
    mod causes;
    mod clawbacks;
    mod codes;
    mod holds;
    mod inputs;
    mod lots;
    mod loyalty;
    mod machine;
    mod money;
    mod owed;
    mod precedence;
    mod redemptions;
    mod reservations;
    mod reversals;
    mod slices;
    mod sweeps;
    mod throughput;
    mod topups;
    mod transfers;
    mod words;
}
mod wallet_api {
    mod bad_input;
    mod credits;
    mod expiry;
    mod history;
    mod holds;
    mod idempotency;
    mod long_history;
    mod order_payments;
    pub mod orders;
    mod statements;
    mod status;
    mod transfers;
    mod who;
}
mod jobs_api {
    mod account_imports;
    mod again;
    mod bulk;
    mod exports;
    mod faults;
    mod imports;
    mod points_imports;
    mod upload_urls;
    mod uploads;
    mod watch;
}
mod payments_api {
    mod clawbacks;
    mod corners;
    mod failed_refunds;
    mod forged;
    mod monitor;
    mod paypal_certificates;
    mod paypal_disputes;
    mod refusals;
    mod shared_ids;
    mod topups;
    mod unpaid;
    mod vectors;
    pub mod webhooks;
}
mod budgets_api {
    mod accounts;
    mod bad_input;
    mod bounds;
    mod changes;
    mod costs;
    mod envelope;
    mod faults;
    mod files;
    mod gathers;
    mod guesses;
    mod hot;
    mod late_cards;
    mod many_children;
    mod one_code;
    mod pausing;
    mod provision;
    mod races;
    mod secrets;
    mod statements;
    mod stock;
    mod switches;
}
mod loyalty_api {
    mod costs;
    mod earning;
    mod evaluation;
    mod event_edges;
    mod events;
    mod faults;
    mod kafka;
    mod members;
    mod moments;
    mod orders_of_events;
    mod redemptions;
    mod refund_edges;
    mod refunds;
    mod reports;
    mod sweep;
    mod tiers;
}
mod vouchers_api {
    mod catalogue;
    mod costs;
    mod purchases;
}
mod rewards_api {
    mod claims;
    mod deliveries;
    mod order_races;
    mod order_reports;
    mod purchases;
    mod referrals;
    mod rewards;
}
mod deployed {
    mod budgets;
    mod events;
    mod jobs;
    mod payments;
    mod schedules;
    mod wallets;
}
mod store_behaviour {
    mod connections;
    mod costs;
    mod faults;
    mod races;
    mod reads;
    mod skew;
    mod sweep;
    mod tampering;
    mod unreachable;
}
mod running {
    mod batches;
    mod books;
    pub mod budget_events;
    mod campaign;
    mod checkout;
    pub mod events;
    mod gateway;
    mod import;
    pub mod job_events;
    mod keys;
    mod lambda_events;
    mod largest_bodies;
    mod local_port;
    pub mod loyalty_events;
    mod openapi;
    mod payments;
    pub mod platform;
    mod queues;
    mod secrets;
}
mod layout;
mod routes;
mod tidy;
mod wording;
