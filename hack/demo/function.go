package main

import (
	"bytes"
	"context"
	"os"
	"runtime"
	"slices"

	"github.com/portcullis-authz/portcullis/envoy/envoytest"
)

// functionsRun reports whether functions can run by their command here.
const functionsRun = runtime.GOOS == "linux"

// functionMark ends the lines of hack/demo/portcullis.yaml about the function.
const functionMark = "# function\n"

// replaceFunction installs AWS Lambda's Python runtime if necessary. It returns an edit that sets its folder in a file,
// or that removes the function where functions cannot run.
func replaceFunction(ctx context.Context, root string) (func([]byte) []byte, error) {
	if !functionsRun {
		return func(text []byte) []byte {
			lines := slices.DeleteFunc(bytes.SplitAfter(text, []byte("\n")), func(line []byte) bool { return bytes.HasSuffix(line, []byte(functionMark)) })
			return bytes.Join(lines, nil)
		}, nil
	}
	part := envoytest.PythonRuntime
	dir, err := part.Find()
	if err != nil {
		if err := install(ctx, root, part.Name); err != nil {
			return nil, err
		}
		if dir, err = part.Find(); err != nil {
			return nil, err
		}
	}
	return func(text []byte) []byte {
		text = bytes.ReplaceAll(text, []byte("/opt/awslambdaric"), []byte(dir))
		return bytes.ReplaceAll(text, []byte("/usr/local/bin:/usr/bin:/bin"), []byte(os.Getenv("PATH")))
	}, nil
}
