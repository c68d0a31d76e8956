//! Load limiting: which meters of a group are shed under a limit and when they come back, overload trips, restoring a
//! few at a time, and orders to many meters with a result for each.
//!
//! Small deterministic machines. They decide who is shed; [`crate::relay::decide`] decides what that means for a relay,
//! so that a work tag, an order to keep power and "never cut" stay above it. The caller turns a [`Switch`] into
//! [`crate::account::Command::Shed`].
//!
//! ```text
//! member of a group        over the limit, lowest priority first
//!            supplied ────────────────────────────────────────────▶ shed
//!                ▲                                                   │
//!                └───── fits with margin for the restore delay, ─────┘
//!                       off for its shortest time, one at a time
//!
//! overload trip            tripped, within the allowed count
//!            in service ──────────────────────────────────▶ waits for its time / a request / somebody on site
//!                ▲                                                   │ due, asked, done
//!                ├───────────────────────────────────────────────────┘
//!                └──── released on site ◀──── held: tripped once too often in its window
//! ```

mod batch;
mod group;
mod limit;
mod stagger;
mod trip;

pub use batch::{Batch, BatchError, BatchTotals, ItemResult};
pub use group::{GroupError, GroupSettings, LoadGroup, Member, Spared, Step, Switch};
pub use limit::{LimitError, LimitRequest, LimitWindow, Limits};
pub use stagger::Stagger;
pub use trip::{RestoreDue, RestorePolicy, Restored, TripError, TripGuard, TripSettings};
