// Package strictjson reads JSON (RFC 8259) that decides something, so that it can be read in one way only.
//
// A Reader goes through a text once, value by value, and hands out what the caller asks for: nothing is built that is not used.
// Start reading at Reader.Object. A name that an object has twice, text that is not UTF-8, half of a surrogate pair, text after
// the end, and more depth or values than the Limits are refused; names are compared exactly; numbers are handed out as they are
// written; and every error has its offset, of which Places makes a line and a column. encoding/json does none of these.
//
// The caller reads exactly one value wherever one stands: in the functions given to Object and Array, and before End.
package strictjson
