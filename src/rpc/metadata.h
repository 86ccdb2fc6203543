// Names of the metadata that our nodes add to calls and answers. Others ignore all of it.
#pragma once

namespace dkron::rpc {

// Of calls.
inline constexpr const char* kNodeKey =
    "x-dkron-node-bin";  // Name of the caller; of the answerer too.
inline constexpr const char* kForwardedKey = "x-dkron-forwarded";                     // "1"
inline constexpr const char* kForceKey = "x-dkron-force";                             // "true"
inline constexpr const char* kWaitKey = "x-dkron-wait";                               // "true"
inline constexpr const char* kRespectConcurrencyKey = "x-dkron-respect-concurrency";  // "true"
inline constexpr const char* kRestoreKey = "x-dkron-restore";                         // "true"
inline constexpr const char* kExpectedRevisionKey = "x-dkron-expected-revision";      // Decimal.

// Behind failed answers: our error's code as a word (to_string), and its text when the status
// carries the original's instead.
inline constexpr const char* kCodeKey = "x-dkron-code";
inline constexpr const char* kTextKey = "x-dkron-text-bin";

}  // namespace dkron::rpc
