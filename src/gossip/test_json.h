// For tests: messages in the form in which tests/golden/gossip tells their meaning (fields under
// their wire names, byte strings as {"hex"}, addresses as {"ip", "hex"}, nil as null).
#pragma once

#include <boost/json.hpp>
#include <string_view>

#include "gossip/messages.h"
#include "gossip/serf_messages.h"

namespace dkron::gossip::testing_support {

// `has_serf`: what user messages and user states carry is Serf's.
boost::json::value to_json(const Message& message, bool has_serf);
boost::json::value to_json(const StreamMessage& message, bool has_serf);
boost::json::value serf_to_json(std::string_view bytes);

}  // namespace dkron::gossip::testing_support
