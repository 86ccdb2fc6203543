// The table of discovery providers: what each is called, which keys it knows, who answers.
//
// Free functions, thread-safe.
#pragma once

#include <string_view>

#include "discovery/query.h"

namespace dkron::discovery {

// Answers by the provider that the query's key `provider` names. Keys that it does not know are
// refused: a misspelt selector would otherwise find strangers.
Result<Addresses> ask_provider(const Query& query);

}  // namespace dkron::discovery
