// Any bytes as msgpack: a value ends where it ends, in whatever pieces it comes and however it is
// read.
#include <cstdint>

#include "agreement.h"
#include "codec/msgpack.h"

namespace {

using namespace dkron::codec;
using dkron::fuzz::require;
using Status = MsgpackScanner::Status;

// What is read with the right type is written in one form, which is read as the same.
void check_scalars(std::string_view bytes) {
  std::string written;
  MsgpackWriter writer(written);
  MsgpackReader as_unsigned(bytes);
  const auto number = as_unsigned.unsigned_number(UINT64_MAX);
  writer.unsigned_number(number);
  MsgpackReader as_signed(bytes);
  const auto signed_number = as_signed.signed_number();
  writer.signed_number(signed_number);
  MsgpackReader as_bytes(bytes);
  const std::string raw = as_bytes.bytes();
  writer.raw(raw);
  MsgpackReader again(written);
  require(again.unsigned_number(UINT64_MAX) == number);
  require(again.signed_number() == signed_number);
  require(again.raw() == raw && !again.failed() && again.rest().empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes = dkron::fuzz::input_of(data, size);
  MsgpackReader reader(bytes);
  reader.skip();
  MsgpackScanner scanner;
  Status status = Status::NeedsMore;
  for (std::size_t have = 0; have <= size && status == Status::NeedsMore; ++have) {
    status = scanner.scan(bytes.substr(0, have));
  }
  require(reader.failed() == (status != Status::Complete));
  require(!reader.failed() || reader.short_input() == (status == Status::NeedsMore));
  require(reader.failed() || reader.position() == scanner.size_bytes());
  check_scalars(bytes);
  return 0;
}
