// Any bytes in each of Serf's decoders.
#include <cstdint>
#include <variant>

#include "agreement.h"
#include "fitting_tags.h"
#include "gossip/serf_messages.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace dkron::gossip;
  using dkron::fuzz::check_agreement;
  const std::string_view bytes = dkron::fuzz::input_of(data, size);
  const auto encode_one = [](const auto& value) { return encode(value); };
  check_agreement(bytes, decode_serf_message,
                  [&](const SerfMessage& message) { return std::visit(encode_one, message); });
  check_agreement(bytes, decode_serf_state, encode_one);
  check_agreement(bytes, decode_query_filter, encode_one);
  check_agreement(bytes, decode_conflict_response, encode_conflict_response);
  check_agreement(bytes, decode_key_request, encode_one);
  check_agreement(bytes, decode_key_response, encode_one);
  check_agreement(bytes, dkron::fuzz::decode_tags_that_fit, encode_tags);
  check_agreement(bytes, decode_coordinate, encode_one);
  const auto message = decode_serf_message(bytes);
  const auto* query = message ? std::get_if<Query>(&*message) : nullptr;
  if (query == nullptr) return 0;
  for (const std::string& filter : query->filters) {
    check_agreement(filter, decode_query_filter, encode_one);
  }
  return 0;
}
