package extauthz

import "unicode/utf8"

// metadata takes an entry of envoy.config.core.v3.Metadata.filter_metadata, a map of google.protobuf.Struct.
func (d *decoder) metadata(f field) bool {
	name, value, ok := nested(f)
	if !ok || f.tag != 1<<3|length {
		return false
	}
	ours := string(name) == proxyProtocolMetadata
	if ours && d.sawTLV {
		return false
	}
	d.sawTLV = d.sawTLV || ours
	return each(value, 1<<1, func(f field) bool { return d.metadataField(f, ours) })
}

// metadataField takes an entry of Struct.fields. Only texts are understood.
func (d *decoder) metadataField(f field, ours bool) bool {
	name, value, ok := nested(f)
	if !ok || f.tag != 1<<3|length {
		return false
	}
	isTLV := ours && string(name) == awsTLV
	if isTLV && d.awsTLV.present {
		return false
	}
	d.awsTLV.present = d.awsTLV.present || isTLV
	return each(value, 0, func(f field) bool {
		switch {
		case f.tag != 3<<3|length: // Value.string_value
			return false
		case isTLV:
			return d.text(&d.awsTLV.text, f)
		default:
			return utf8.Valid(f.bytes)
		}
	})
}

// nested reads an entry of a map of messages.
func nested(f field) (name, message []byte, ok bool) {
	ok = each(f.bytes, 0, func(f field) bool {
		switch f.tag {
		case 1<<3 | length:
			name = f.bytes
			return utf8.Valid(name)
		case 2<<3 | length:
			message = f.bytes
			return true
		default:
			return false
		}
	})
	return name, message, ok
}
