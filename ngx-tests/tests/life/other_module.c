/* A module with a configuration of its own, to have beside ours: `other_number N;` in http. */

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

extern ngx_module_t  ngx_http_other_module;

static void *
create(ngx_conf_t *cf)
{
    ngx_int_t  *number;

    number = ngx_palloc(cf->pool, sizeof(ngx_int_t));
    if (number != NULL) {
        *number = NGX_CONF_UNSET;
    }
    return number;
}

static ngx_int_t
init_process(ngx_cycle_t *cycle)
{
    ngx_int_t  *number;

    number = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_other_module);
    ngx_log_error(NGX_LOG_WARN, cycle->log, 0, "other module: %i", *number);
    return NGX_OK;
}

static ngx_command_t  commands[] = {
    { ngx_string("other_number"), NGX_HTTP_MAIN_CONF|NGX_CONF_TAKE1, ngx_conf_set_num_slot,
      NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL },
    ngx_null_command
};

static ngx_http_module_t  context = { NULL, NULL, create, NULL, NULL, NULL, NULL, NULL };

ngx_module_t  ngx_http_other_module = {
    NGX_MODULE_V1, &context, commands, NGX_HTTP_MODULE,
    NULL, NULL, init_process, NULL, NULL, NULL, NULL,
    NGX_MODULE_V1_PADDING
};

ngx_module_t  *ngx_modules[] = { &ngx_http_other_module, NULL };
char          *ngx_module_names[] = { "ngx_http_other_module", NULL };
char          *ngx_module_order[] = { NULL };
