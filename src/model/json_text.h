// JsonText: a JSON text before it is parsed, and what is wrong with it in words for people.
//
// No state, thread-safe.
#pragma once

#include <string>
#include <string_view>

namespace dkron::model {

// The escape of a surrogate without its other half (`\ud800`) becomes `\ufffd`, as in the original,
// at the same place. What is no JSON stays as it is.
std::string replace_lone_surrogates(std::string_view json);

// Whether reading that text puts U+FFFD in place of something: it is not valid UTF-8, or it has
// escapes of surrogates without their other half.
bool has_malformed_characters(std::string_view json);

// Where reading stopped, e.g. `unexpected '}' at byte 12`, `the JSON text ends too early, at byte
// 30` or `expected hex digit at byte 7`. `position` counts from 0, the text shown from 1; `cause`
// names what is wrong with an escape or a number, empty for plain syntax.
std::string describe_json_error(std::string_view json, std::size_t position,
                                std::string_view cause);

}  // namespace dkron::model
