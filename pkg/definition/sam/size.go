package sam

import (
	"github.com/portcullis-authz/portcullis/pkg/definition/sam/value"
	"github.com/portcullis-authz/portcullis/pkg/definition/tree"
)

const (
	// maxEvents is how many events may call APIs. SAM makes a resource of each, and CloudFormation takes 500.
	maxEvents = 500
	// maxMerged is how many values Globals may add to the resources. CloudFormation takes templates of 1 MB, once they are transformed.
	maxMerged = 500_000
)

// checkSize refuses a template of which SAM makes more than CloudFormation takes, before it is made.
func (t *transform) checkSize() {
	resources := map[string]int{}
	events := 0
	for _, r := range t.resources.Pairs {
		resources[serverless(r.Value)]++
		for _, event := range value.Pairs(properties(r.Value).Get("Events")) {
			kind := event.Value.Get("Type")
			if value.Says(kind, rest.event) || value.Says(kind, http.event) {
				events++
			}
			if events == maxEvents+1 {
				t.faults.Add(event.At, "the template has more than %d events of APIs: SAM makes a resource of each, and CloudFormation takes 500; write a definition of the API instead", maxEvents)
			}
		}
	}
	for _, section := range value.Pairs(t.root.Get("Globals")) {
		if n := resources[section.Key]; n > 1 && n*countUpTo(section.Value, maxMerged/n+1) > maxMerged {
			t.faults.Add(section.At, "SAM would merge the section %s of Globals into %d resources, which makes more than %d values: write less of it there", section.Key, n, maxMerged)
		}
	}
}

// countUpTo counts the values in a value, and stops at most.
func countUpTo(n *tree.Node, most int) int {
	count := 0
	for range n.All() {
		if count++; count >= most {
			break
		}
	}
	return count
}
