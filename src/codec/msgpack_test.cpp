#include "codec/msgpack.h"

#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <map>

#include "codec/test_golden.h"

namespace dkron::codec {
namespace {

using testing_support::from_hex;
using testing_support::load_golden;
using testing_support::text_of;
using testing_support::to_hex;

using Write = std::function<void(MsgpackWriter&)>;

std::string written(const Write& write) {
  std::string out;
  MsgpackWriter writer(out);
  write(writer);
  return to_hex(out);
}

// The text between `before` and the last parenthesis: "int(" of "int(12)" gives "12".
std::string inside(const std::string& value, std::string_view before) {
  return value.substr(before.size(), value.size() - before.size() - 1);
}

void zero_structure(MsgpackWriter& out) {
  out.map(10);
  out.raw("Alpha");
  out.unsigned_number(0);
  out.raw("B");
  out.boolean(false);
  out.raw("F");
  out.real(0);
  for (const char* key : {"I8", "List", "M"}) {
    out.raw(key);
    out.nil();
  }
  out.raw("Name");
  out.raw("");
  out.raw("P");
  out.nil();
  out.raw("Raw");
  out.raw_or_nil("");
  out.raw("Zeta");
  out.signed_number(0);
}

void filled_structure(MsgpackWriter& out) {
  out.map(11);
  out.raw("Alpha");
  out.unsigned_number(300);
  out.raw("B");
  out.boolean(true);
  out.raw("F");
  out.real(2);
  out.raw("I8");
  out.raw({"\1\5\2", 3});
  out.raw("List");
  out.list(1);
  out.raw("x");
  out.raw("M");
  out.map(1);
  out.raw("a");
  out.unsigned_number(1);
  out.raw("Name");
  out.raw("n");
  out.raw("Opt");
  out.raw("o");
  out.raw("P");
  zero_structure(out);
  out.raw("Raw");
  out.raw_or_nil("\1");
  out.raw("Zeta");
  out.signed_number(300);
}

void relay_header(MsgpackWriter& out) {
  out.map(2);
  out.raw("DestAddr");
  out.map(3);
  out.raw("IP");
  out.raw({"\x7f\0\0\1", 4});
  out.raw("Port");
  out.signed_number(8946);
  out.raw("Zone");
  out.raw("");
  out.raw("DestName");
  out.raw("n1");
}

void empty_texts(MsgpackWriter& out, std::size_t count) {
  out.list(count);
  for (std::size_t i = 0; i < count; ++i) out.raw("");
}

// How to write the vectors whose name does not tell it.
const std::map<std::string, Write>& named_writes() {
  static const std::map<std::string, Write> writes = {
      {"empty slice of string", [](auto& out) { out.list(0); }},
      {"15 strings", [](auto& out) { empty_texts(out, 15); }},
      {"16 strings", [](auto& out) { empty_texts(out, 16); }},
      {"nil map", [](auto& out) { out.nil(); }},
      {"empty map", [](auto& out) { out.map(0); }},
      {"map one", [](auto& out) { out.map(1), out.raw("k"), out.raw("v"); }},
      {"bool true", [](auto& out) { out.boolean(true); }},
      {"bool false", [](auto& out) { out.boolean(false); }},
      {"float64 1.5", [](auto& out) { out.real(1.5); }},
      {"duration 16s", [](auto& out) { out.signed_number(16'000'000'000); }},
      {"struct zero (name order, omitempty)", zero_structure},
      {"struct filled", filled_structure},
      {"slice of byte slices",
       [](auto& out) {
         out.list(2), out.raw({"\0\1", 2}), out.raw("\2");
       }},
      {"relay header", relay_header},
  };
  return writes;
}

Write write_of(const std::string& name, const std::string& value) {
  if (const auto found = named_writes().find(name); found != named_writes().end()) {
    return found->second;
  }
  if (name.starts_with("signed int ")) {
    return [n = std::stoll(inside(value, "int("))](auto& out) { out.signed_number(n); };
  }
  if (name.starts_with("unsigned int ")) {
    return [n = std::stoull(inside(value, "uint64("))](auto& out) { out.unsigned_number(n); };
  }
  for (const auto& [prefix, fill] : {std::pair("string len ", 's'), std::pair("bytes len ", 'b')}) {
    if (!name.starts_with(prefix)) continue;
    const std::string text(std::stoul(name.substr(std::string(prefix).size())), fill);
    return [text](auto& out) { out.raw(text); };
  }
  return nullptr;
}

TEST(MsgpackWriter, gives_the_bytes_of_the_reference) {
  std::size_t checked = 0;
  for (const auto& entry : load_golden("msgpack_units.json")) {
    const std::string name = text_of(entry.at("name"));
    if (name == "float32 1.5") continue;  // Not on the gossip wire.
    const Write write = write_of(name, text_of(entry.at("value")));
    ASSERT_TRUE(write) << name;
    EXPECT_EQ(written(write), text_of(entry.at("v2_1_5"))) << name;
    ++checked;
  }
  EXPECT_EQ(checked, 53u);
}

void expect_read(const std::string& name, const std::string& value, const std::string& bytes) {
  MsgpackReader reader(bytes);
  if (name.starts_with("signed int ")) {
    EXPECT_EQ(reader.signed_number(), std::stoll(inside(value, "int("))) << name;
  } else if (name.starts_with("unsigned int ")) {
    EXPECT_EQ(reader.unsigned_number(UINT64_MAX), std::stoull(inside(value, "uint64("))) << name;
  } else if (name.starts_with("string len ")) {
    EXPECT_EQ(reader.raw(), std::string(std::stoul(name.substr(11)), 's')) << name;
  } else if (name.starts_with("bytes len ")) {
    EXPECT_EQ(reader.bytes(), std::string(std::stoul(name.substr(10)), 'b')) << name;
  } else if (name.starts_with("float")) {
    EXPECT_EQ(reader.real(), 1.5) << name;
  } else if (name.starts_with("duration")) {
    EXPECT_EQ(reader.signed_number(), 16'000'000'000) << name;
  } else if (name.starts_with("bool")) {
    EXPECT_EQ(reader.boolean(), name == "bool true");
  } else {
    reader.skip();
  }
  EXPECT_FALSE(reader.failed()) << name;
  EXPECT_EQ(reader.rest(), "") << name;
}

TEST(MsgpackReader, understands_both_generations_of_the_reference) {
  for (const auto& entry : load_golden("msgpack_units.json")) {
    for (const char* version : {"v0_5_5", "v2_1_5"}) {
      expect_read(text_of(entry.at("name")), text_of(entry.at("value")),
                  from_hex(text_of(entry.at(version))));
    }
  }
}

template <class Read>
auto read(std::string_view hex, Read&& get) {
  const std::string bytes = from_hex(hex);
  MsgpackReader reader(bytes);
  auto value = get(reader);
  EXPECT_FALSE(reader.failed()) << hex;
  EXPECT_EQ(reader.position(), bytes.size()) << hex;
  return value;
}

template <class Read>
void expect_refused(std::string_view hex, bool is_short, Read&& get) {
  const std::string bytes = from_hex(hex);
  MsgpackReader reader(bytes);
  get(reader);
  EXPECT_TRUE(reader.failed()) << hex;
  EXPECT_EQ(reader.short_input(), is_short) << hex;
}

TEST(MsgpackReader, takes_every_form_of_a_number_that_fits) {
  const auto get = [](MsgpackReader& in) { return in.unsigned_number(UINT16_MAX); };
  for (const char* hex : {"07", "cc07", "cd0007", "ce00000007", "cf0000000000000007", "d007",
                          "d10007", "d200000007", "d30000000000000007"}) {
    EXPECT_EQ(read(hex, get), 7u);
  }
  EXPECT_EQ(read("c0", get), 0u);
  for (const char* hex : {"ff", "d0ff", "d3ffffffffffffffff", "ce00010000", "c3", "ca3f800000",
                          "a107", "9107", "d40107", "c1"}) {
    expect_refused(hex, false, get);
  }
}

TEST(MsgpackReader, takes_signed_numbers_up_to_their_limits) {
  const auto get = [](MsgpackReader& in) { return in.signed_number(); };
  EXPECT_EQ(read("ff", get), -1);
  EXPECT_EQ(read("d38000000000000000", get), std::numeric_limits<std::int64_t>::min());
  EXPECT_EQ(read("cf7fffffffffffffff", get), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(read("c0", get), 0);
  expect_refused("cf8000000000000000", false, get);
  expect_refused("cb3ff8000000000000", false, get);
}

TEST(MsgpackReader, takes_numbers_for_booleans_and_reals) {
  const auto boolean = [](MsgpackReader& in) { return in.boolean(); };
  EXPECT_TRUE(read("01", boolean));
  EXPECT_FALSE(read("00", boolean));
  EXPECT_FALSE(read("c0", boolean));
  expect_refused("02", false, boolean);
  expect_refused("ff", false, boolean);
  const auto real = [](MsgpackReader& in) { return in.real(); };
  EXPECT_EQ(read("ca3fc00000", real), 1.5);
  EXPECT_EQ(read("fe", real), -2.0);
  EXPECT_EQ(read("cd0100", real), 256.0);
  EXPECT_EQ(read("c0", real), 0.0);
  expect_refused("c2", false, real);
}

TEST(MsgpackReader, takes_every_form_of_bytes) {
  const auto get = [](MsgpackReader& in) { return in.bytes(); };
  for (const char* hex : {"a26869", "d9026869", "da00026869", "db000000026869", "c4026869",
                          "c500026869", "c6000000026869", "926869", "dc000268cc69"}) {
    EXPECT_EQ(read(hex, get), "hi");
  }
  EXPECT_EQ(read("c0", get), "");
  EXPECT_EQ(read("90", get), "");
  expect_refused("91cd0100", false, get);
  expect_refused("05", false, get);
}

TEST(MsgpackReader, never_believes_a_length_that_the_input_cannot_hold) {
  expect_refused("dfffffffff8080", true, [](MsgpackReader& in) { in.map(); });
  expect_refused("ddffffffff8080", true, [](MsgpackReader& in) { in.list(); });
  expect_refused("dbffffffff8080", true, [](MsgpackReader& in) { in.raw(); });
  expect_refused("ddffffffff80", true, [](MsgpackReader& in) { in.bytes(); });
  expect_refused("829091", true, [](MsgpackReader& in) { in.map(); });
}

TEST(MsgpackReader, skips_whole_values_of_every_kind) {
  for (const char* hex : {"05", "c0", "c3", "a26869", "c4026869", "92a0c0", "81a0920102", "d40107",
                          "d8000000000000000000000000000000000a", "c70305010203", "dc0003c0c0c0",
                          "de000101819001", "cb3ff8000000000000"}) {
    read(hex, [](MsgpackReader& in) { return in.skip(), 0; });
  }
}

TEST(MsgpackReader, bounds_the_nesting_of_what_it_skips) {
  const auto skip = [](MsgpackReader& in) { in.skip(); };
  std::string deep;
  for (int i = 0; i < kMaxMsgpackDepth; ++i) deep += "91";
  read(deep + "00", [&](MsgpackReader& in) { return skip(in), 0; });
  expect_refused("91" + deep + "00", false, skip);
  expect_refused(std::string(200'000, '9'), false, skip);
}

TEST(MsgpackReader, keeps_its_first_error) {
  const std::string bytes = from_hex("c3a26869");
  MsgpackReader reader(bytes);
  reader.raw();
  EXPECT_TRUE(reader.failed());
  EXPECT_EQ(reader.raw(), "");
  EXPECT_EQ(reader.map(), 0u);
  EXPECT_FALSE(reader.next_is_nil());
  EXPECT_FALSE(reader.short_input());
}

TEST(MsgpackScanner, finds_the_end_in_whatever_pieces_the_bytes_come) {
  for (const auto& entry : load_golden("msgpack_units.json")) {
    const std::string whole = from_hex(text_of(entry.at("v2_1_5"))) + "behind";
    const std::size_t size = whole.size() - 6;
    MsgpackScanner scanner;
    for (std::size_t have = 0; have < size; ++have) {
      ASSERT_EQ(scanner.scan(whole.substr(0, have)), MsgpackScanner::Status::NeedsMore);
    }
    ASSERT_EQ(scanner.scan(whole), MsgpackScanner::Status::Complete);
    EXPECT_EQ(scanner.size_bytes(), size);
  }
}

TEST(MsgpackScanner, refuses_what_can_never_become_a_value) {
  EXPECT_EQ(MsgpackScanner().scan(from_hex("92c1")), MsgpackScanner::Status::Malformed);
  EXPECT_EQ(MsgpackScanner().scan(std::string(17, '\x91')), MsgpackScanner::Status::Malformed);
}

}  // namespace
}  // namespace dkron::codec
