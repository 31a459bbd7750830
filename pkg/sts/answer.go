package sts

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"strconv"
	"time"
)

// Field is a part of a result. Its Value is a string, an int, a time.Time, or the Fields below it.
type Field struct {
	Name  string
	Value any
}

const namespace = "https://sts.amazonaws.com/doc/2011-06-15/"

// result returns the document of a result: ActionResponse, with ActionResult and ResponseMetadata.
func result(action, requestID string, fields []Field) (root string, content []Field) {
	return action + "Response", []Field{
		{action + "Result", fields},
		{"ResponseMetadata", []Field{{"RequestId", requestID}}},
	}
}

// failure returns the document of an error.
func failure(e *Error, requestID string) (root string, content []Field) {
	fault := "Sender"
	if e.httpStatus() >= 500 {
		fault = "Receiver"
	}
	return "ErrorResponse", []Field{
		{"Error", []Field{{"Type", fault}, {"Code", string(e.Code)}, {"Message", e.Message}}},
		{"RequestId", requestID},
	}
}

// marshalXML writes a document as XML. Every text is escaped.
func marshalXML(root string, content []Field) []byte {
	var b bytes.Buffer
	b.WriteString("<" + root + ` xmlns="` + namespace + `">` + "\n")
	writeXML(&b, content, "  ")
	b.WriteString("</" + root + ">\n")
	return b.Bytes()
}

func writeXML(b *bytes.Buffer, fields []Field, indent string) {
	for _, f := range fields {
		b.WriteString(indent + "<" + f.Name + ">")
		switch v := f.Value.(type) {
		case []Field:
			b.WriteByte('\n')
			writeXML(b, v, indent+"  ")
			b.WriteString(indent)
		case string:
			_ = xml.EscapeText(b, []byte(v)) // a Buffer takes everything
		case int:
			b.WriteString(strconv.Itoa(v))
		case time.Time:
			b.WriteString(v.UTC().Format(time.RFC3339))
		default:
			panic(fmt.Sprintf("sts: a field of type %T", v)) // answered with 500
		}
		b.WriteString("</" + f.Name + ">\n")
	}
}

// marshalJSON writes a document as JSON, as STS does for clients that accept application/json. Times are seconds since 1970.
func marshalJSON(root string, content []Field) []byte {
	var b bytes.Buffer
	if root == "ErrorResponse" { // STS leaves out the name of this one
		writeJSON(&b, content)
	} else {
		writeJSON(&b, []Field{{root, content}})
	}
	return b.Bytes()
}

func writeJSON(b *bytes.Buffer, fields []Field) {
	b.WriteByte('{')
	for i, f := range fields {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(strconv.Quote(f.Name) + ":") // names are letters
		switch v := f.Value.(type) {
		case []Field:
			writeJSON(b, v)
		case string:
			text, _ := json.Marshal(v) // a string has an encoding
			b.Write(text)
		case int:
			b.WriteString(strconv.Itoa(v))
		case time.Time:
			b.WriteString(strconv.FormatInt(v.Unix(), 10))
		default:
			panic(fmt.Sprintf("sts: a field of type %T", v)) // answered with 500
		}
	}
	b.WriteByte('}')
}
