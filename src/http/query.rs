//! Queries: parameters in, as strictly as bodies.

use poem::{Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, Registry};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use serde_json::{Map, Value};

use super::body::{Documented, FromMembers, Members, register_with_example};
use super::problem::{FieldError, Problem};

/// How the spec's maker tells a query from a body: poem-openapi knows parameters one by one alone, so ours travel as the
/// members of a form, which [`super::spec`] turns into parameters.
pub(super) const FORM: &str = "application/x-www-form-urlencoded";

/// The query of a request: parameters that each parse themselves, declared with [`body!`](crate::body).
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<'a, T: FromMembers + Documented> ApiExtractor<'a> for Query<T> {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];
    type ParamType = ();
    type ParamRawType = ();

    fn register(registry: &mut Registry) {
        register_with_example::<T>(registry);
    }

    fn request_meta() -> Option<MetaRequest> {
        let content = vec![MetaMediaType { content_type: FORM, schema: T::schema_ref() }];
        Some(MetaRequest { description: Some(T::DESCRIPTION), content, required: false })
    }

    async fn from_request(request: &'a Request, _: &mut RequestBody, _: ExtractParamOptions<()>) -> poem::Result<Self> {
        Ok(Self(parse(request.uri().query().unwrap_or_default())?))
    }
}

fn parse<T: FromMembers>(query: &str) -> Result<T, Problem> {
    let mut parameters = Map::new();
    for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
        // Which of two would count is where servers differ.
        if parameters.insert(name.clone().into_owned(), Value::String(value.into_owned())).is_some() {
            return Err(Problem::invalid(vec![FieldError::of_parameter(&name, "is named twice")]));
        }
    }
    let mut members = Members::of_query(parameters);
    let read = T::from_members(&mut members);
    members.finish(read)
}
