package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"
)

// nginxConf is one process that does nothing but pass on: the best that a proxy written in C does.
const nginxConf = `daemon off;
master_process off;
worker_processes 1;
pid %[1]s/pid;
error_log stderr error;
events { worker_connections 20000; }
http {
  access_log off;
  client_max_body_size 0;
  client_body_buffer_size 256k;
  keepalive_requests 1000000000;
  client_body_temp_path %[1]s/body;
  proxy_temp_path %[1]s/proxy;
  fastcgi_temp_path %[1]s/f;
  uwsgi_temp_path %[1]s/u;
  scgi_temp_path %[1]s/s;
  upstream provider { server %[3]s; keepalive 8192; keepalive_requests 1000000000; }
  server {
    listen %[2]s reuseport backlog=8192;
    location / {
      proxy_pass http://provider;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`

// Nginx starts nginx, one worker, before an upstream, on the gateway's side. binary is its path.
func (l *Lab) Nginx(binary, upstream string) (*Service, error) {
	dir, err := l.Folder()
	if err != nil {
		return nil, err
	}
	addrs, err := freePorts(1)
	if err != nil {
		return nil, err
	}
	conf := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(conf, fmt.Appendf(nil, nginxConf, dir, addrs[0], upstream), 0o600); err != nil {
		return nil, err
	}
	p, err := Start(Command{Args: []string{binary, "-p", dir, "-c", conf, "-e", "stderr"}, Side: GatewaySide, Silent: true})
	if err != nil {
		return nil, err
	}
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		c, err := net.Dial("tcp", addrs[0])
		if err == nil {
			return &Service{p, addrs[0]}, c.Close()
		}
		select {
		case <-p.exited:
			return nil, p.failed(errors.New("nginx ended"))
		default:
		}
		if time.Now().After(deadline) {
			p.Kill()
			return nil, fmt.Errorf("nginx does not listen: %w", err)
		}
	}
}

// FindNginx is the path of the distribution's nginx, "" if there is none.
func FindNginx() string {
	const path = "/usr/sbin/nginx"
	if _, err := os.Stat(path); err != nil {
		return ""
	}
	return path
}
