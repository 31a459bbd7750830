// Command pictures draws the pictures of the READMEs, each as an SVG file for light and one for dark pages. `make generate` runs it
// from the root of the repository. The figures are those of the table in hack/bench/README.md.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// folder has the drawn pictures.
const folder = "hack/pictures"

func main() {
	if err := run("."); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

// run draws all pictures of the repository at root.
func run(root string) error {
	rows, err := readCosts(filepath.Join(root, "hack/bench/README.md"))
	if err != nil {
		return err
	}
	for _, t := range []theme{light, dark} {
		for name, c := range map[string]*canvas{"request": request(t), "policies": policies(t), "costs": costs(t, rows)} {
			file := filepath.Join(root, folder, name+"-"+t.name+".svg")
			if err := os.WriteFile(file, []byte(c.svg()), 0o644); err != nil {
				return err
			}
		}
	}
	return nil
}
