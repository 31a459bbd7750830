// Package strictjson reads JSON (RFC 8259) that decides something, so that it has only one reading.
//
// A Reader passes through a text once, value by value, and returns what the caller asks for, without building anything
// else. Start with Reader.Object. Unlike encoding/json:
//
//   - It refuses duplicate names, text that is not UTF-8, unpaired surrogates, text after the end, and more depth or
//     values than the Limits.
//   - It compares names exactly.
//   - It returns numbers as written.
//   - Every error has its offset; Places turns it into line and column.
//
// The caller must read exactly one value in the functions passed to Object and Array, and before End.
package strictjson
