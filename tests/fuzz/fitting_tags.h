// Tags of another writer may be a few bytes longer in our form, and then too long: no disagreement.
#pragma once

#include <string_view>

#include "gossip/serf_messages.h"

namespace dkron::fuzz {

inline Result<gossip::Tags> decode_tags_that_fit(std::string_view meta) {
  auto tags = gossip::decode_tags(meta);
  if (tags && gossip::encode_tags(*tags).size() > gossip::kMaxMetaBytes) {
    return fail(ErrorCode::TooLarge, "tags do not fit");
  }
  return tags;
}

}  // namespace dkron::fuzz
