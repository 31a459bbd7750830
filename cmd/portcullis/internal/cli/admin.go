package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
)

// maxReport limits what is read of the answer of a running portcullis.
const maxReport = 64 << 20

// AskAdmin posts a question to the admin port of a running portcullis, with the token in a file, and returns the answer.
func AskAdmin(ctx context.Context, address, tokenFile, path string, question []byte) ([]byte, error) {
	token, err := os.ReadFile(tokenFile)
	if err != nil {
		return nil, errors.New("--admin-token-file cannot be read; name the file that portcullis serve has")
	}
	if _, _, err := net.SplitHostPort(address); err != nil {
		return nil, fmt.Errorf("--against: %q is not host:port; write the address that portcullis serve has for --admin", address)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+address+path, bytes.NewReader(question))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+strings.TrimSpace(string(token)))
	request.Header.Set("Content-Type", "application/json")
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, errors.New("the running portcullis cannot be reached")
	}
	defer response.Body.Close()
	data, err := io.ReadAll(io.LimitReader(response.Body, maxReport))
	if err != nil {
		return nil, errors.New("the answer of the running portcullis cannot be read")
	}
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("the running portcullis answers %d: %.500q", response.StatusCode, strings.TrimSpace(string(data)))
	}
	return data, nil
}
