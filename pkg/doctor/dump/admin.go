package dump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// adminTime limits one request to Envoy's admin interface.
const adminTime = 10 * time.Second

// adminPages are what is asked of Envoy. Secrets are not among them. A resource that this Envoy does not know, or has
// none of, is answered with 404.
var adminPages = []string{
	"/server_info",
	"/config_dump?mask=bootstrap.admin.address",
	"/config_dump?resource=static_listeners",
	"/config_dump?resource=dynamic_listeners",
	"/config_dump?resource=static_route_configs",
	"/config_dump?resource=dynamic_route_configs",
	"/config_dump?resource=inline_scoped_route_configs",
	"/config_dump?resource=dynamic_scoped_route_configs",
	"/config_dump?resource=ecds_filters",
	"/config_dump?resource=static_clusters",
	"/config_dump?resource=dynamic_active_clusters",
	"/config_dump?include_eds&resource=static_endpoint_configs",
	"/config_dump?include_eds&resource=dynamic_endpoint_configs",
	`/stats?format=json&filter=(ext_authz\.|total_filter_chains_draining|total_listeners_draining|membership_(total|healthy)$|upstream_rq_pending_overflow$)`,
}

// ReadAdmin adds what a running Envoy says of itself. address is the host and port of its admin interface.
func (d *Dump) ReadAdmin(ctx context.Context, address string) error {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return fmt.Errorf("%q is not host:port; write the address of Envoy's admin interface, such as 127.0.0.1:9901", address)
	}
	for _, page := range adminPages {
		body, found, err := adminGet(ctx, "http://"+address+page)
		if err != nil {
			return err
		}
		if !found && page == "/server_info" {
			return fmt.Errorf("http://%s is not an admin interface of Envoy: it has no /server_info", address)
		}
		if !found {
			continue
		}
		err = d.Read("http://"+address+page, bytes.NewReader(body))
		if err != nil && page == "/server_info" {
			return fmt.Errorf("http://%s is not an admin interface of Envoy: its /server_info is another page", address)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// adminGet returns a page of the admin interface, and whether it exists.
func adminGet(ctx context.Context, url string) (_ []byte, found bool, _ error) {
	ctx, cancel := context.WithTimeout(ctx, adminTime)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return nil, false, err
	}
	client := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	if err != nil {
		return nil, false, fmt.Errorf("%w; is Envoy's admin interface on? It is off unless the bootstrap has admin.address. A file of config_dump works too", err)
	}
	defer response.Body.Close()
	switch response.StatusCode {
	case http.StatusOK:
	case http.StatusNotFound:
		return nil, false, nil
	default:
		return nil, false, fmt.Errorf("%s: %s; is it Envoy's admin interface?", url, response.Status)
	}
	body, err := io.ReadAll(io.LimitReader(response.Body, maxInput+1))
	if err != nil {
		return nil, false, errors.Join(fmt.Errorf("%s: the answer ended early", url), err)
	}
	return body, true, nil
}
