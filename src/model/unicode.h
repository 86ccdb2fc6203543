// The little that the model needs of Unicode: splitting UTF-8 and the category "lower-case letter".
#pragma once

#include <string>
#include <string_view>

namespace dkron::model {

// Takes the next code point off the front; a malformed byte is taken alone. `*text` is not empty.
std::string_view next_character(std::string_view* text);

// True for one UTF-8 character of category Ll (Unicode). The system's locale plays no part.
bool is_lower_case_letter(std::string_view character);

// Every malformed byte becomes U+FFFD, as JSON answers need it.
std::string to_valid_utf8(std::string_view text);
// The place of the first malformed byte; npos when there is none.
std::size_t find_malformed_utf8(std::string_view text);
bool is_valid_utf8(std::string_view text);

// The last at most `limit_bytes` bytes of `text`, not beginning inside a character.
std::string_view tail_at_character(std::string_view text, std::size_t limit_bytes);

}  // namespace dkron::model
