// Package arn parses Amazon Resource Names and matches them, and other text, with IAM's wildcards.
//
// # Decisions
//
// 2026-11-23: a pattern is compiled once, into tokens, and matched without parsing, regular expressions or allocation.
// The text between two "*" is searched from left to right, and the first match always suffices, so matching never
// backtracks over more than one "*". The cost is limited by the length of the text times the length of the longest
// piece.
//
// 2026-11-23: "?" matches one character, a UTF-8 sequence, because paths in ARNs may contain them. A byte that is not
// part of a valid sequence counts as one character.
package arn

import (
	"fmt"
	"strings"
)

// ARN is an Amazon Resource Name, split at its first five colons. Resource may contain more.
type ARN struct{ Partition, Service, Region, Account, Resource string }

// PartitionOf returns the partition that a region lies in.
func PartitionOf(region string) string {
	switch {
	case strings.HasPrefix(region, "cn-"):
		return "aws-cn"
	case strings.HasPrefix(region, "us-gov-"):
		return "aws-us-gov"
	default:
		return "aws"
	}
}

// Parts is text split at its first five colons, as IAM compares ARNs: "arn", partition, service, region, account, resource.
type Parts [6]string

// Split splits text at its first five colons. It returns false if there are fewer.
func Split(text string) (p Parts, ok bool) {
	for i := range 5 {
		colon := strings.IndexByte(text, ':')
		if colon < 0 {
			return Parts{}, false
		}
		p[i], text = text[:colon], text[colon+1:]
	}
	p[5] = text
	return p, true
}

// Parse parses an ARN. Region and account may be empty, the other parts may not.
func Parse(text string) (ARN, error) {
	p, ok := Split(text)
	switch {
	case !ok:
		return ARN{}, fmt.Errorf("%q has fewer than the six parts of an ARN, arn:partition:service:region:account:resource", text)
	case p[0] != "arn":
		return ARN{}, fmt.Errorf("%q does not begin with \"arn:\"", text)
	case p[1] == "" || p[2] == "" || p[5] == "":
		return ARN{}, fmt.Errorf("%q has no partition, service or resource", text)
	}
	return ARN{Partition: p[1], Service: p[2], Region: p[3], Account: p[4], Resource: p[5]}, nil
}

// String joins the parts again.
func (a ARN) String() string {
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}
