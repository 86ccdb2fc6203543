// Text habits of Go that users can see: how error messages quote, what counts as white space, and
// how an integer is read. Dkron's users know its messages, so ours must be the same to the letter.
//
// Free functions over UTF-8; bytes that are no UTF-8 count as U+FFFD, one each. Thread-safe.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"

namespace dkron::go {

// The code point at the start of a text that is not empty; `*size_bytes` is how long it is.
char32_t decode_rune(std::string_view text, std::size_t* size_bytes);

// Unicode's White_Space property.
bool is_space(char32_t rune);

// strings.Fields and strings.TrimSpace.
std::vector<std::string_view> fields(std::string_view text);
std::string_view trim_space(std::string_view text);

// strconv.Quote: "..." with escapes for quotes, backslashes and what cannot be printed.
std::string quote(std::string_view text);

// The other quoting, of package time: each byte outside printable ASCII is \xNN.
std::string quote_for_time(std::string_view text);

// strconv.Atoi: decimal with optional sign; the error is
// `strconv.Atoi: parsing "x": invalid syntax` or `...: value out of range`.
Result<std::int64_t> parse_int(std::string_view text);

// strconv.ParseBool: `1 t T TRUE true True` and their opposites; the error is
// `strconv.ParseBool: parsing "x": invalid syntax`.
Result<bool> parse_bool(std::string_view text);

}  // namespace dkron::go
