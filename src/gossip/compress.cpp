#include "gossip/compress.h"

#include "codec/lzw.h"
#include "gossip/fields.h"

namespace dkron::gossip {
namespace {

constexpr std::uint8_t kLzw = 0;

}  // namespace

std::string compress(std::string_view plain) {
  std::string bytes(1, static_cast<char>(MessageType::Compress));
  FieldWriter out(bytes, 2);
  out.number("Algo", kLzw);
  out.raw("Buf", codec::lzw_compress(plain));
  return bytes;
}

Result<std::string> decompress(std::string_view body, std::size_t max_bytes) {
  MsgpackReader in(body);
  std::uint8_t algorithm = 0;
  std::string_view packed;
  read_fields(in, [&](std::string_view key) {
    if (key == "Algo") return read_number(in, algorithm);
    if (key != "Buf") return false;
    packed = in.raw();
    return true;
  });
  if (auto read = read_result(in, "compressed message"); !read) return fail(read.error());
  if (algorithm != kLzw) {
    return fail(ErrorCode::Corrupt,
                "compressed message: unknown algorithm " + std::to_string(algorithm));
  }
  return codec::lzw_decompress(packed, max_bytes);
}

}  // namespace dkron::gossip
